"""OCI runtime specification, config: "Mounts"; config-linux: "Default Filesystems"; and what holds a container in."""

from __future__ import annotations

import shutil

import pytest

from orchestra.linux import cgroup
from tests.oci_cli.conftest import OURS


def own_root(runtime, bundle):
    """A copy of the tree, to be changed."""
    root = runtime.path / "own"
    shutil.copytree(runtime.tree, root, symlinks=True)
    bundle.config["root"] = {"path": str(root), "readonly": False}
    return root


def options_of(bundle, destination):
    return next(entry for entry in bundle.config["mounts"] if entry["destination"] == destination)["options"]


def test_mounts_are_made_in_the_order_of_the_list(runtime, tmp_path):
    """In which mountinfo shows them, too."""
    bundle = runtime.bundle("cat", "/proc/self/mountinfo")
    bundle.config["mounts"] += [
        {"destination": "/tmp", "type": "bind", "source": str(tmp_path), "options": ["bind"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/etc", "type": "bind", "source": str(tmp_path), "options": ["bind"]},
    ]
    points = [row.split()[4] for row in runtime.ok("run", "c").splitlines()]
    assert [point for point in points if point in ("/tmp", "/dev/shm", "/etc")][-3:] == ["/tmp", "/dev/shm", "/etc"]


def test_a_read_only_dev_has_its_devices_and_terminals(runtime):
    bundle = runtime.bundle(
        "sh", "-c", "grep '^[^ ]* /dev ' /proc/mounts; echo > /dev/null; ls /dev/pts/ptmx; > /dev/x"
    )
    options_of(bundle, "/dev").append("ro")
    done = runtime("run", "c")
    assert " ro," in done.stdout
    assert "/dev/pts/ptmx" in done.stdout
    assert "Read-only" in done.stderr


def test_read_only_groups_are_mounted_on_something_read_only(ours):
    """Else a container could put what it likes where others of its processes look for groups."""
    bundle = ours.bundle("sh", "-c", "mkdir /sys/fs/cgroup/new; grep -c ' /sys/fs/cgroup.* ro,' /proc/mounts")
    bundle.linux["namespaces"] = [entry for entry in bundle.linux["namespaces"] if entry["type"] != "cgroup"]
    done = ours("run", "c")
    assert int(done.stdout) >= (2 if cgroup.machine_hierarchy().version == 1 else 1)
    assert "Read-only" in done.stderr


@pytest.mark.parametrize(("options", "mode"), [([], "3751"), (["mode=710"], "710")])
def test_a_file_system_in_memory_has_the_mode_of_what_it_covers(ours, options, mode):
    """As the newest runc and crun have it; a mode among the options goes before."""
    bundle = ours.bundle("stat", "-c", "%a", "/covered")
    (own_root(ours, bundle) / "covered").mkdir()
    (ours.path / "own/covered").chmod(0o3751)
    bundle.config["mounts"].append({"destination": "/covered", "type": "tmpfs", "source": "tmpfs", "options": options})
    assert ours.ok("run", "c").strip() == mode


def test_a_file_system_in_memory_that_covers_nothing_is_for_everybody(runtime):
    """tmpfs(5): the mode is 1777."""
    bundle = runtime.bundle("stat", "-c", "%a", "/fresh")
    own_root(runtime, bundle)
    bundle.config["mounts"].append({"destination": "/fresh", "type": "tmpfs", "source": "tmpfs"})
    assert runtime.ok("run", "c").strip() in ("1777", "755" if runtime.name != OURS else "1777")


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_proc_and_sysfs_are_mounted_on_no_link(ours, name):
    bundle = ours.bundle("true")
    root = own_root(ours, bundle)
    shutil.rmtree(root / name, ignore_errors=True)
    (root / "elsewhere").mkdir()
    (root / name).symlink_to("/elsewhere")
    assert "must be mounted on ordinary directory" in ours.fails("run", "c")


def test_a_root_that_only_covers_the_hosts_reveals_no_other_proc(runtime):
    """mount_namespaces(7), restrictions: who makes namespaces in the container mounts no procfs without the masks."""
    bundle = runtime.bundle("busybox", "unshare", "-U", "-r", "-m", "-p", "-f", "sh", "-c", SCRIPT)
    bundle.process["capabilities"]["bounding"].append("CAP_SETFCAP")
    bundle.process["capabilities"]["permitted"].append("CAP_SETFCAP")
    for kind in ([], ["--no-pivot"]):
        done = runtime("run", *kind, "c")
        assert done.stdout == "inside\n", done.stderr
        assert "mount" in done.stderr


SCRIPT = "echo inside; busybox mount -t proc none /proc && echo revealed"
