"""Whether a container could start, told by its definition and its image alone."""

from __future__ import annotations

import os
import stat
import struct

import pytest

from orchestra.driver.local.check import check_start
from orchestra.driver.local.image.documents.config import ImageConfig
from orchestra.driver.local.image.store import ReadyImage
from orchestra.driver.local.user import User
from orchestra.errors import FatalError
from orchestra.home import find_home
from orchestra.model.limits import Resources
from orchestra.model.mount import BindMount, TmpfsMount
from tests.driver.local.bundle.containers import spec

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="whiteouts are devices, which need root")

ROOT, OTHER = User(), User(1000, 1000, (1000,))


def program(loader):
    """A file that is a dynamic program as far as execve(2) looks for its loader."""
    text = loader.encode() + b"\0"
    header = (
        b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    )
    return header + struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(text), len(text), 1) + text


@pytest.fixture
def layers(tmp_path):
    """Two layers: what the upper one has wins."""
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    for directory in (upper / "bin", lower / "bin", lower / "usr/bin", lower / "etc", lower / "opt"):
        directory.mkdir(parents=True)
    for path, content, mode in (
        ("bin/sh", b"#!/bin/busybox\n", 0o755),
        ("bin/busybox", program("/lib/ld.so"), 0o755),
        ("bin/static", b"\x7fELF\x02\x01" + bytes(58), 0o755),
        ("bin/data", b"", 0o644),
        ("bin/private", b"", 0o700),
        ("bin/lost", b"#!/no/interpreter -x\n", 0o755),
        ("bin/script", b"#! /bin/static\n", 0o755),
        ("etc/passwd", b"", 0o644),
    ):
        (lower / path).write_bytes(content)
        (lower / path).chmod(mode)
    (lower / "bin/linked").symlink_to("../opt/tool")
    (lower / "bin/loop").symlink_to("loop")
    os.mknod(upper / "bin/sh", stat.S_IFCHR | 0o600, 0)  # a whiteout
    return (str(upper), str(lower))


@pytest.fixture
def check(layers, tmp_path):
    home = find_home({"ORCHESTRA_HOME": str(tmp_path / "home")}, 0)

    def checked(*command, user=ROOT, **more):
        more.setdefault("environment", {"PATH": "/usr/bin:/bin"})
        image = ReadyImage("sha256:0", layers, ImageConfig())
        check_start(home, "s", spec(command=command, **more), image, user, settled=True)

    return checked


@pytest.mark.parametrize("command", ["static", "/bin/static", "bin/static", "script"])
def test_a_program_is_found_as_the_kernel_finds_it(check, command):
    check(command)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("nothing", "execve nothing: No such file or directory"),
        ("/bin/nothing", "execve /bin/nothing: No such file or directory"),
        ("sh", "execve sh: No such file or directory"),  # the upper layer has removed it
        ("data", "execve data: Permission denied"),
        ("/bin/data", "execve /bin/data: Permission denied"),
        ("/bin", "execve /bin: Permission denied"),
        ("lost", "execve /bin/lost: No such file or directory"),
        ("busybox", "execve /bin/busybox: No such file or directory"),
        ("linked", "execve linked: No such file or directory"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_a_program_that_cannot_be_executed(check, command, message):
    with pytest.raises(FatalError, match=message):
        check(command)


def test_who_may_execute_a_program(check):
    check("private")
    with pytest.raises(FatalError, match="execve private: Permission denied"):
        check("private", user=OTHER)
    check("static", user=OTHER)


def test_path_and_working_directory_are_the_containers(check):
    check("static", environment={"PATH": "bin"})
    check("./static", working_directory="/bin")
    check("static", working_directory="/made/by/the/start")
    with pytest.raises(FatalError, match="execve static"):
        check("static", environment={"PATH": "/usr/bin"})
    with pytest.raises(FatalError, match="chdir /etc/passwd: Not a directory"):
        check("static", working_directory="/etc/passwd")


@pytest.mark.parametrize(
    ("command", "target"), [("linked", "/opt"), ("linked", "/opt/tool"), ("nothing", "/bin"), ("nothing", "/usr/bin")]
)
def test_what_may_be_in_a_mount_is_not_judged(check, tmp_path, command, target):
    """Also where only a link of the image leads there."""
    source = tmp_path / ("lower/bin/static" if target == "/opt/tool" else "lower/opt")
    check(command, mounts=(BindMount(target, str(source)),))


@pytest.mark.parametrize("cpuset", ["0", "0-0,0"])
def test_processors(check, cpuset):
    check("static", resources=Resources(cpuset=cpuset))
    for wrong in ("9999", "0-9999", "all", "1-"):
        with pytest.raises(FatalError, match=f"service web: cpuset {wrong}"):
            check("static", resources=Resources(cpuset=wrong))


def test_a_file_is_mounted_over_a_file_and_a_directory_over_a_directory(check, tmp_path):
    (tmp_path / "file").touch()
    check("static", mounts=(BindMount("/etc/passwd", str(tmp_path / "file")),))
    check("static", mounts=(BindMount("/new", str(tmp_path / "file")),))
    check("static", mounts=(BindMount("/opt", str(tmp_path)),))
    for target, source in (("/opt", tmp_path / "file"), ("/etc/passwd", tmp_path)):
        with pytest.raises(FatalError, match=f"move_mount {target}: Not a directory"):
            check("static", mounts=(BindMount(target, str(source)),))


@pytest.mark.parametrize("target", ["/etc/passwd/below", "/etc/passwd/far/below"])
def test_nothing_is_mounted_below_a_file(check, tmp_path, target):
    for mount in (BindMount(target, str(tmp_path)), TmpfsMount(target)):
        with pytest.raises(FatalError, match=f"mount {target}: Not a directory") as caught:
            check("static", mounts=(mount,))
        assert caught.value.hint == "/etc/passwd is a file in the image: mount to another place"
    check("static", mounts=(BindMount("/opt/far/below", str(tmp_path)), TmpfsMount("/run/x/y")))


def test_nothing_is_made(check, tmp_path):
    check("static", mounts=(BindMount("/new", str(tmp_path / "new"), create_host_path=True),))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lower", "upper"]
