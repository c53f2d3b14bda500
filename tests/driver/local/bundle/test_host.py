"""What is seen of the host, and only as far as a container asks."""

from __future__ import annotations

import os
import stat

import pytest

from orchestra.driver.local.bundle.host import observe_host
from orchestra.driver.local.bundle.world import HostDevice
from orchestra.linux.security.capabilities import NAMES
from orchestra.model.limits import Device
from tests.driver.local.bundle.containers import spec

NULL = HostDevice("/dev/null", "c", 1, 3, 0o666)


def devices(*sources):
    return observe_host(spec(devices=tuple(Device(source, "/dev/x") for source in sources))).devices


def test_a_container_that_names_none_looks_at_no_device():
    facts = observe_host(spec())
    assert facts.devices == {}
    assert facts.every_device == ()
    assert set(facts.capabilities) <= set(NAMES)


def test_a_device_is_seen_through_links(tmp_path):
    (tmp_path / "link").symlink_to("/dev/null")
    assert devices("/dev/null")["/dev/null"] == (NULL,)
    [found] = devices(f"{tmp_path}/link")[f"{tmp_path}/link"]
    assert (found.kind, found.major, found.minor) == ("c", 1, 3)


def test_what_is_no_device_is_none(tmp_path):
    (tmp_path / "file").touch()
    for path in (f"{tmp_path}/file", f"{tmp_path}/missing", str(tmp_path), "vendor.com/gpu=all"):
        assert devices(path) == {path: ()}


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make device nodes")
def test_a_directory_stands_for_the_devices_below_it(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "link").symlink_to("/dev/null")
    os.mknod(tmp_path / "deep/b", stat.S_IFBLK | 0o640, os.makedev(7, 200))
    os.mknod(tmp_path / "a", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.chown(tmp_path / "a", 5, 6)
    found = devices(str(tmp_path))[str(tmp_path)]
    assert found == (
        HostDevice(f"{tmp_path}/a", "c", 1, 3, 0o600, 5, 6),
        HostDevice(f"{tmp_path}/deep/b", "b", 7, 200, stat.S_IMODE(os.stat(tmp_path / "deep/b").st_mode)),
    )


def test_a_privileged_container_sees_them_all_but_those_of_others_terminals():
    found = {device.path for device in observe_host(spec(privileged=True)).every_device}
    assert "/dev/null" in found
    assert not any(path.startswith(("/dev/pts/", "/dev/shm/", "/dev/console")) for path in found)
