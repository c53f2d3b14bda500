"""Paths inside a directory whose symbolic links are hostile."""

from __future__ import annotations

import os
import subprocess
import sys
from errno import ELOOP, ENOENT, ENOTDIR

import pytest

from orchestra.linux.mounts.resolve import ensure_in_root, open_in_root
from orchestra.linux.syscall import SystemCallError


@pytest.fixture
def root(tmp_path):
    """A root with links that lead out; ``outside`` beside it must stay as it is."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    inner = tmp_path / "root"
    (inner / "etc").mkdir(parents=True)
    (inner / "etc/file").write_text("inside")
    (inner / "absolute").symlink_to(tmp_path / "outside")
    (inner / "dots").symlink_to("../" * 12 + str(tmp_path)[1:] + "/outside")
    (inner / "to-root").symlink_to("/")
    (inner / "loop").symlink_to("loop")
    (inner / "dangling").symlink_to("/run/some/resolv.conf")
    (inner / "magic").symlink_to("/proc/self/cwd")
    fd = os.open(inner, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)
    assert os.listdir(tmp_path / "outside") == ["secret"]
    assert (tmp_path / "outside/secret").read_text() == "secret"


def name_of(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}").partition("/root")[2] or "/"
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    "path", ["/etc/file", "etc/file", "../../etc/file", "/to-root/etc/file", "to-root/../etc/./file"]
)
def test_every_way_to_a_file_ends_inside(root, path):
    assert name_of(open_in_root(root, path)) == "/etc/file"


@pytest.mark.parametrize("link", ["absolute", "dots"])
def test_a_link_that_leads_out_leads_to_a_place_inside(root, link, tmp_path):
    with pytest.raises(SystemCallError) as caught:
        open_in_root(root, f"{link}/secret")
    assert caught.value.errno == ENOENT
    made = ensure_in_root(root, f"{link}/secret", directory=True)
    assert os.readlink(f"/proc/self/fd/{made}") == f"{tmp_path}/root{tmp_path}/outside/secret"
    os.close(made)


def test_what_is_missing_is_made(root, tmp_path):
    os.umask(0o022)
    assert name_of(ensure_in_root(root, "/a/b/c", directory=True)) == "/a/b/c"
    assert name_of(ensure_in_root(root, "/a/b/file", directory=False)) == "/a/b/file"
    assert (tmp_path / "root/a/b/file").stat().st_mode & 0o777 == 0o644
    assert name_of(ensure_in_root(root, "/a/b/c/../../x", directory=True)) == "/a/x"


def test_what_is_there_stays(root, tmp_path):
    assert name_of(ensure_in_root(root, "/etc/file", directory=False)) == "/etc/file"
    assert (tmp_path / "root/etc/file").read_text() == "inside"


def test_a_dangling_link_gets_its_target(root):
    assert name_of(ensure_in_root(root, "/dangling", directory=False)) == "/run/some/resolv.conf"


@pytest.mark.parametrize(("path", "number"), [("/loop", ELOOP), ("/etc/file/below", ENOTDIR)])
def test_what_cannot_be_is_an_error_with_its_path(root, path, number):
    with pytest.raises(SystemCallError) as caught:
        ensure_in_root(root, path, directory=True)
    assert caught.value.errno == number
    assert caught.value.filename is not None


def test_descriptors_are_not_inherited_and_not_leaked(root):
    before = os.listdir("/proc/self/fd")
    fd = ensure_in_root(root, "/dangling", directory=False)
    assert not os.get_inheritable(fd)
    os.close(fd)
    assert os.listdir("/proc/self/fd") == before


def test_names_that_change_elsewhere_do_not_disturb_the_way_up(root, tmp_path):
    rename = "import os; os.mkdir('a')\nprint(flush=True)\nwhile True: os.rename('a', 'b'); os.rename('b', 'a')"
    command = [sys.executable, "-c", rename]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            for _ in range(20_000):
                os.close(open_in_root(root, "etc/../etc/../etc/file"))
        finally:
            process.kill()
