"""An OCI configuration becomes values: under names of its own, with defaults, and with what it lacks said."""

from __future__ import annotations

import pytest

from orchestra.container.configuration import (
    SUBPATH,
    Configuration,
    Device,
    Hook,
    Linux,
    Mount,
    Namespace,
    Root,
    read_configuration,
)
from orchestra.linux.syscall import SystemCallError

USERS = [{"containerID": 0, "hostID": 1000, "size": 1}]
DESCRIBED = {
    "ociVersion": "1.2.0",
    "process": {"args": ["true"]},
    "root": {"path": "rootfs", "readonly": True},
    "hostname": "box",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/data", "source": "/srv", "options": ["rbind"], SUBPATH: "a/b", "uidMappings": USERS},
    ],
    "hooks": {"poststop": [{"path": "/bin/true", "args": ["true"], "timeout": 3}], "prestart": None},
    "annotations": {"a": "b"},
    "linux": {
        "namespaces": [{"type": "pid"}, {"type": "network", "path": "/proc/1/ns/net"}],
        "uidMappings": USERS,
        "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600, "uid": None}],
        "cgroupsPath": "/a/b",
        "maskedPaths": ["/proc/keys"],
        "rootfsPropagation": None,
        "intelRdt": {"closID": "x"},
    },
}


def test_every_property_is_a_field_and_null_is_as_good_as_nothing():
    assert read_configuration(DESCRIBED) == Configuration(
        oci_version="1.2.0",
        process={"args": ["true"]},
        root=Root("rootfs", readonly=True),
        hostname="box",
        mounts=(
            Mount("/proc", "proc", "proc"),
            Mount("/data", source="/srv", options=["rbind"], subpath="a/b", uid_mappings=USERS),
        ),
        hooks={"poststop": (Hook("/bin/true", ["true"], timeout=3),), "prestart": ()},
        annotations={"a": "b"},
        linux=Linux(
            namespaces=(Namespace("pid"), Namespace("network", "/proc/1/ns/net")),
            uid_mappings=USERS,
            devices=(Device("/dev/fuse", "c", 10, 229, file_mode=0o600),),
            cgroups_path="/a/b",
            masked_paths=["/proc/keys"],
        ),
    )


def test_of_nothing_come_the_defaults():
    assert read_configuration({}) == read_configuration({"linux": None, "mounts": None, "root": {}}) == Configuration()


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"mounts": [{"type": "tmpfs"}]}, "config mount: Invalid argument (it has no destination)"),
        ({"hooks": {"prestart": [{"args": []}]}}, "config hook: Invalid argument (it has no path)"),
        ({"linux": {"devices": [{"path": "/dev/x"}]}}, "config device: Invalid argument (it has no type)"),
        ({"linux": {"namespaces": [{"path": "/x"}]}}, "config namespace: Invalid argument (it has no type)"),
    ],
)
def test_what_it_lacks_is_said(described, said):
    with pytest.raises(SystemCallError) as caught:
        read_configuration(described)
    assert str(caught.value) == said
