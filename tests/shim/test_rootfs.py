"""What a container sees of file systems, and that it sees nothing of the host's."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.linux import process
from orchestra.linux.security import capabilities
from orchestra.shim import launch
from tests.forking import fork
from tests.shim.conftest import eventually


def test_the_hosts_root_is_out_of_reach(stack, tmp_path):
    marker = tmp_path / "marker"
    marker.write_text("of the host")
    container = stack.shell(
        f"ls /; cat {marker}; cat /proc/1/root{marker}; cat /../..{marker}; cd /proc/1/cwd; cat .{marker}; true"
    )
    lines = container.finish()
    assert lines == ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr"]
    assert len([line for line in container.texts("stderr") if "No such file" in line]) == 4


def test_its_mounts_are_its_own_and_the_hosts_table_never_shows_them(stack):
    before = Path("/proc/self/mountinfo").read_text()
    container = stack.shell("cat /proc/self/mountinfo; echo; sleep 60")
    container.run()
    lines = eventually(lambda: "" in (found := container.texts("stdout")) and found)
    points = {line.split()[4] for line in lines if line}
    assert {"/", "/proc", "/dev", "/dev/pts", "/sys"} <= points
    assert not any("orchestra" in point for point in points)
    assert Path("/proc/self/mountinfo").read_text() == before


def test_what_it_writes_stays_in_its_own_layer(stack):
    container = stack.shell("echo mine > /etc/secret; rm /etc/passwd; mkdir /made")
    container.finish()
    assert (stack.tree / "etc/secret").read_text() == "secret\n"
    assert (stack.tree / "etc/passwd").exists()
    assert Path(container.directory, "upper/etc/secret").read_text() == "mine\n"


def test_a_read_only_root_leaves_mounts_writable(stack):
    container = stack.shell(
        "touch /x; touch /tmp/y && echo written",
        root={"path": "rootfs", "readonly": True},
        mounts=[{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m"]}],
    )
    assert container.finish() == ["written"]
    assert "Read-only file system" in container.texts("stderr")[0]


def test_binds_with_their_options(stack, tmp_path):
    (tmp_path / "host").mkdir()
    (tmp_path / "host/file").write_text("from the host\n")
    (tmp_path / "single").write_text("one file\n")
    container = stack.shell(
        "cat /ro/file /etc/single; touch /ro/x; echo back > /rw/new; grep ' /ro ' /proc/self/mountinfo",
        mounts=[
            {"destination": "/ro", "type": "bind", "source": f"{tmp_path}/host", "options": ["rbind", "ro", "nosuid"]},
            {"destination": "/rw", "type": "bind", "source": f"{tmp_path}/host", "options": ["bind"]},
            {"destination": "/etc/single", "type": "bind", "source": f"{tmp_path}/single", "options": ["bind"]},
        ],
    )
    *texts, line = container.finish()
    assert texts == ["from the host", "one file"]
    assert {"ro", "nosuid"} <= {*line.split()[5].split(",")}
    assert "Read-only" in container.texts("stderr")[0]
    assert (tmp_path / "host/new").read_text() == "back\n"


def test_a_mount_point_that_is_a_link_stays_inside(stack, tmp_path):
    """A link of the image to a place of the host must not bring the mount there."""
    (tmp_path / "target").mkdir()
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").touch()
    container = stack.shell(
        f"ls {tmp_path}/target",
        mounts=[{"destination": "/link", "type": "bind", "source": f"{tmp_path}/source", "options": ["bind"]}],
    )
    os.symlink(f"../../../../../../../..{tmp_path}/target", f"{container.directory}/upper/link")
    assert container.finish() == ["file"]
    assert os.listdir(tmp_path / "target") == []


def test_masked_and_read_only_paths(stack):
    container = stack.shell(
        "cat /proc/kcore | wc -c; ls /proc/scsi | wc -l; touch /etc/x; cat /etc/secret; ls /masked; touch /masked/y",
        linux={
            "maskedPaths": ["/proc/kcore", "/etc/secret", "/masked", "/no/such"],
            "readonlyPaths": ["/etc", "/no/such/either"],
        },
    )
    os.makedirs(f"{container.directory}/upper/masked/inner")
    container.run()
    assert container.wait().exit_code == 1
    assert container.texts("stdout")[0] == "0"
    assert "secret" not in "".join(container.texts("stdout"))
    assert "inner" not in container.texts("stdout")
    assert len([line for line in container.texts("stderr") if "Read-only" in line]) == 2


def test_devices(stack):
    extra = [{"path": "/dev/made", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 5, "gid": 6}]
    extra.append({"path": "/dev/sub/pipe", "type": "p"})
    container = stack.shell(
        "cd /dev; stat -c '%n %F %a %t:%T %u:%g' null zero full random urandom tty made sub/pipe;"
        " for l in fd ptmx stdin; do readlink $l; done;"
        " echo x > null && dd if=zero bs=4 count=1 2>&- | wc -c; echo x > full || echo full",
        linux={"devices": extra},
    )
    lines = container.finish()
    assert lines[:6] == [
        f"{name} character special file 666 {numbers} 0:0"
        for name, numbers in (
            ("null", "1:3"),
            ("zero", "1:5"),
            ("full", "1:7"),
            ("random", "1:8"),
            ("urandom", "1:9"),
            ("tty", "5:0"),
        )
    ]
    assert lines[6] == "made character special file 640 1:3 5:6"
    assert lines[7].startswith("sub/pipe fifo 666")
    assert lines[8:] == ["/proc/self/fd", "pts/ptmx", "/proc/self/fd/0", "4", "full"]


def test_where_no_node_may_be_made_the_hosts_own_is_bound_under_the_name_asked_for(stack):
    """A user namespace has no mknod(2); here it is the lack of the capability."""
    extra = [{"path": "/dev/renamed", "type": "c", "major": 1, "minor": 5}]
    container = stack.shell("head -c3 /dev/renamed | wc -c; stat -c %t:%T /dev/renamed", linux={"devices": extra})
    stack.finish_supervisor()
    eventually(lambda: not launch.is_running(stack.home))
    pid = fork()
    if pid == 0:
        try:
            process.prctl(capabilities.PR_CAPBSET_DROP, capabilities.NUMBERS["CAP_MKNOD"])
            stack.launch()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert container.finish() == ["3", "1:5"]


def test_owners_are_shown_as_mapped(stack, tmp_path):
    """config, "Mounts": uidMappings and gidMappings."""
    source = tmp_path / "owned"
    source.mkdir()
    (source / "file").touch()
    os.chown(source / "file", 1000, 1001)
    maps = {
        "uidMappings": [{"containerID": 1000, "hostID": 7, "size": 1}],
        "gidMappings": [{"containerID": 1001, "hostID": 8, "size": 1}],
    }
    mapped = {"destination": "/m", "type": "bind", "source": str(source), "options": ["bind", "idmap"], **maps}
    container = stack.container("stat", "-c", "%u:%g", "/m/file", mounts=[mapped])
    try:
        assert container.finish() == ["7:8"]
    except OSError as error:
        if error.errno != errno.EINVAL or "mount_setattr" not in str(error):
            raise
        pytest.skip(f"the file system at {tmp_path} takes no mapped mounts")


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("noatime", "noatime"),
        ("nosymfollow", "nosymfollow"),
        ("rro", "ro"),
        ("rnosuid", "nosuid"),
        ("rnoexec", "noexec"),
    ],
)
def test_options_of_a_bind(stack, tmp_path, option, expected):
    bind = {"destination": "/m", "type": "bind", "source": str(tmp_path), "options": ["rbind", option]}
    [line] = stack.container("grep", " /m ", "/proc/self/mountinfo", mounts=[bind]).finish()
    assert expected in line.split()[5].split(",")


def test_its_cgroup_is_all_it_sees_of_cgroups(stack):
    options = ["ro", "nosuid", "noexec", "nodev", "rbind"]
    container = stack.shell(
        "cat /proc/self/cgroup; cd /sys/fs/cgroup; ls;"
        " [ -e cgroup.procs ] || cd memory; grep -c . cgroup.procs; mkdir x",
        mounts=[{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": options}],
    )
    container.run()
    container.wait()
    lines = container.texts("stdout")
    assert not any(stack.group in line for line in lines)
    assert int(lines[-1]) >= 2
    assert "Read-only" in container.texts("stderr")[-1]


def test_its_root_survives_an_unmount_and_a_chroot(stack):
    """With every capability: what it undoes is its own, and there is nothing below."""
    sets = dict.fromkeys(("bounding", "effective", "permitted"), capabilities.NAMES)
    container = stack.shell(
        "mount -t tmpfs none /tmp && echo mounted; busybox umount -l /proc; busybox chroot /../.. ls /; true",
        capabilities=sets,
    )
    assert container.finish() == ["mounted", "bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr"]


def test_layers_that_do_not_fit_a_page_are_refused_by_name(stack):
    container = stack.container("true")
    lower = ":".join(f"/no/layer/{number}" for number in range(400))
    container.settings["rootfs"][0]["options"][0] = f"lowerdir={lower}"
    container.write()
    with pytest.raises(OSError, match="too many layers"):
        container.run()


def test_plain_directories_serve_as_a_root(stack, tmp_path):
    """No layers at all: the directory rootfs of the bundle is the root."""
    container = stack.container("ls", "/")
    shutil.copytree(stack.tree, f"{container.directory}/rootfs", symlinks=True, dirs_exist_ok=True)
    container.settings["rootfs"] = []
    container.write()
    assert container.finish() == ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr"]
    assert os.listdir(f"{container.directory}/rootfs/dev") == []


IN_A_CHROOT = """
import os, sys
from orchestra.linux import namespaces
from orchestra.linux.mounts import mount
from orchestra.container import rootfs

cage = sys.argv[1]
namespaces.unshare(namespaces.CLONE_NEWNS)
mount.mount("", "/", flags=mount.MS_REC | mount.MS_PRIVATE)
mount.mount(cage, cage, flags=mount.MS_BIND)
mount.mount("proc", f"{cage}/proc", "proc")
os.chroot(cage)
mount.mount("tmpfs", "/bundle", "tmpfs")
os.mkdir("/bundle/only-this")
own = os.open("/proc/self/ns/mnt", os.O_RDONLY)
rootfs.enter(os.open("/bundle", os.O_PATH | os.O_DIRECTORY))
namespaces.setns(own, namespaces.CLONE_NEWNS)
print(os.listdir("/"))
"""


def test_in_a_chroot_too_nothing_of_the_host_is_left_above_the_root(tmp_path):
    """A chroot is not the root of its mount namespace, which is where setns(2) leads."""
    for name in ("bundle", "proc"):
        (tmp_path / "cage" / name).mkdir(parents=True)
    command = [sys.executable, "-c", IN_A_CHROOT, str(tmp_path / "cage")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "['only-this']\n", done.stderr


def over_proc(destination, source, kind="bind"):
    options = ["rbind"] if kind == "bind" else []
    return {"destination": destination, "type": kind, "source": source, "options": options}


@pytest.mark.parametrize(
    "destination", ["/proc/sys", "/proc/self/attr", "/proc/1/ns/../sysfs", "/link/sys", "/far/fs", "/proc/missing"]
)
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_binds_into_proc_are_refused(stack, tmp_path, destination, kind):
    """CVE-2019-16884 and its kin: by name, and over the links of an image."""
    container = stack.container("true", mounts=[over_proc(destination, str(tmp_path), kind)])
    os.symlink("/proc", f"{container.directory}/upper/link")
    os.symlink("link", f"{container.directory}/upper/far")
    with pytest.raises(OSError, match=f"{destination}.*inside /proc"):
        container.run()


@pytest.mark.parametrize("destination", ["/proc", "/link"])
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_only_a_procfs_is_mounted_over_proc(stack, tmp_path, destination, kind):
    container = stack.container("true", mounts=[over_proc(destination, str(tmp_path), kind)])
    os.symlink("/proc", f"{container.directory}/upper/link")
    with pytest.raises(OSError, match="only a procfs"):
        container.run()


def test_what_may_be_mounted_at_proc(stack, tmp_path):
    (tmp_path / "uptime").write_text("1.00 1.00\n")
    binds = [over_proc("/proc", "/proc"), over_proc("/proc/uptime", f"{tmp_path}/uptime")]
    assert stack.shell("cat /proc/uptime; readlink /proc/self/ns/pid >&2", mounts=binds).finish() == ["1.00 1.00"]
