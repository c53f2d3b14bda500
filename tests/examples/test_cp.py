"""``cp`` between the host and containers that run, that have ended and that never ran."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile

import pytest

from tests.examples.conftest import eventually, needs_containers

pytestmark = needs_containers

STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sleep, infinity]
    init: true
    stop_signal: SIGKILL
    volumes: [data:/data, ./shared:/shared, "./shared:/fixed:ro", "./one.conf:/etc/one.conf"]
  job:
    image: "rootfs:BUSYBOX"
    command: ["true"]
    volumes: [data:/data, "./shared:/fixed:ro"]
  locked: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true, stop_signal: SIGKILL, read_only: true}
volumes: {data: {}}
"""


def start(write_stack):
    """web runs, job has ended."""
    made = write_stack(STACK, files={"one.conf": "old", "shared/there": "kept"})
    made.run("up", "-d")
    eventually(lambda: made.states()["job"] == "exited")
    return made


@pytest.fixture
def stack(write_stack):
    return start(write_stack)


@pytest.fixture(scope="module")
def shared_stack(write_shared_stack):
    """For what changes nothing, or clears the place that it copies to."""
    return start(write_shared_stack)


def within(stack, *command):
    return stack.run("exec", "-T", "web", *command).stdout


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def tree(tmp_path):
    """A directory with one of everything that a plain user may have."""
    top = tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    (top / "file").write_bytes(b"text\n")
    (top / "sub/tool").write_bytes(b"#!/bin/sh\n")
    os.chmod(top / "sub/tool", 0o751)
    os.link(top / "file", top / "sub/twin")
    os.symlink("../file", top / "sub/link")
    os.symlink("/etc/passwd", top / "absolute")
    os.mkfifo(top / "pipe", 0o620)
    os.setxattr(top / "file", "user.colour", b"\xffgreen")
    os.chown(top / "file", 4711, 4712)
    os.utime(top / "file", ns=(1_000_000_001, 1_234_567_890_123_456_789))
    os.utime(top / "sub", ns=(1_000_000_001, 1_111_111_111_000_000_001))
    return top


@pytest.mark.parametrize("service", ["web", "job"])
def test_a_tree_comes_back_from_a_container_as_it_went_in(stack, tree, tmp_path, service):
    stack.run("cp", "-a", str(tree), f"{service}:/srv")
    stack.run("cp", "-a", f"{service}:/srv", str(tmp_path / "back"))
    back = tmp_path / "back"
    assert names(back) == names(tree)
    for name in names(tree):
        here, there = os.lstat(tree / name), os.lstat(back / name)
        for field in ("st_mode", "st_uid", "st_gid", "st_nlink"):
            assert getattr(here, field) == getattr(there, field), (name, field)
        if not stat.S_ISDIR(here.st_mode):
            assert here.st_mtime_ns == there.st_mtime_ns, name
    assert (back / "sub").stat().st_mtime_ns == 1_111_111_111_000_000_001
    assert (back / "file").read_bytes() == b"text\n"
    assert os.path.samefile(back / "file", back / "sub/twin")
    assert os.readlink(back / "absolute") == "/etc/passwd"
    assert os.getxattr(back / "file", "user.colour") == b"\xffgreen"


def test_without_archive_files_belong_to_root_of_where_they_go(stack, tree, tmp_path):
    os.chmod(tree / "file", 0o4755)
    stack.run("cp", str(tree / "file"), "web:/srv.txt")
    assert within(stack, "stat", "-c", "%u:%g %a", "/srv.txt").split() == ["0:0", "755"]
    within(stack, "chmod", "4755", "/srv.txt")
    within(stack, "chown", "33:33", "/srv.txt")
    stack.run("cp", "web:/srv.txt", str(tmp_path))
    out = (tmp_path / "srv.txt").stat()
    # The container's root may have made it anything: no set-user-id program of the host's root comes of that.
    assert (out.st_uid, out.st_gid, stat.S_IMODE(out.st_mode)) == (0, 0, 0o755)


@pytest.mark.parametrize(
    ("source", "target", "found"),
    [
        ("tree", "web:/new", ["new/file"]),
        ("tree", "web:/new/", ["new/file"]),
        ("tree", "web:/tmp", ["tmp/tree/file"]),
        ("tree/", "web:/tmp", ["tmp/tree/file"]),
        ("tree/.", "web:/tmp", ["tmp/file"]),
        ("tree/file", "web:/tmp", ["tmp/file"]),
        ("tree/file", "web:tmp/other", ["tmp/other"]),
        ("tree/sub/link", "web:/tmp/l", ["tmp/l"]),
    ],
)
def test_where_things_go_is_as_with_docker_cp(shared_stack, tree, tmp_path, source, target, found):
    within(shared_stack, "sh", "-c", "rm -rf /new /tmp/*")
    shared_stack.run("cp", str(tmp_path) + "/" + source, target)
    for path in found:
        within(shared_stack, "test", "-L" if "link" in source else "-f", f"/{path}")


def test_follow_link_copies_what_the_link_leads_to(shared_stack, tree, tmp_path):
    within(shared_stack, "sh", "-c", "rm -rf /tmp/*")
    shared_stack.run("cp", "-L", str(tree / "sub/link"), "web:/tmp/")
    assert within(shared_stack, "cat", "/tmp/link") == "text\n"
    within(shared_stack, "ln", "-s", "/etc/passwd", "/tmp/to-passwd")
    shared_stack.run("cp", "-L", "web:/tmp/to-passwd", str(tmp_path / "passwd"))
    assert (tmp_path / "passwd").read_text() == within(shared_stack, "cat", "/etc/passwd")


def test_volumes_and_bind_mounts_are_as_the_container_sees_them(stack, tree):
    shared = stack.folder / "shared"
    for service in ("web", "job"):
        stack.run("cp", str(tree / "file"), f"{service}:/data/of-{service}")
    stack.run("cp", str(tree / "file"), "web:/shared/")
    assert (shared / "file").read_bytes() == b"text\n"
    assert within(stack, "ls", "/data").split() == ["of-job", "of-web"]
    stack.run("cp", str(tree / "file"), "web:/etc/one.conf")
    assert (stack.folder / "one.conf").read_bytes() == b"text\n"
    assert within(stack, "cat", "/etc/one.conf") == "text\n"
    stack.run("cp", "/etc/hostname", "web:/etc/one.conf")
    assert within(stack, "cat", "/etc/one.conf") == (stack.folder / "one.conf").read_text()


@pytest.mark.parametrize("target", ["web:/fixed", "job:/fixed", "job:/fixed/there", "locked:/tmp"])
def test_what_is_read_only_is_refused_before_anything_is_written(shared_stack, tree, target):
    before = names(shared_stack.folder)
    done = shared_stack.run("cp", str(tree / "file"), target, code=1)
    assert "it is on a read-only file system" in done.stderr
    assert names(shared_stack.folder) == before
    assert (shared_stack.folder / "shared/there").read_text() == "kept"


def test_a_tree_that_meets_something_read_only_changes_nothing(shared_stack, tree):
    (tree / "fixed").mkdir()
    (tree / "fixed/there").write_text("new")
    done = shared_stack.run("cp", f"{tree}/.", "web:/", code=1)
    assert "web-1://fixed" in done.stderr.replace("web-1:/fixed", "web-1://fixed")
    assert within(shared_stack, "ls", "/").split().count("file") == 0


def test_an_archive_goes_in_and_comes_out(shared_stack, tree):
    within(shared_stack, "sh", "-c", "rm -rf /tmp/*")
    packed = subprocess.run(["tar", "cz", "-C", tree.parent, "tree"], capture_output=True, check=True).stdout
    with shared_stack.start("cp", "-", "web:/tmp", stdin=subprocess.PIPE, text=False) as process:
        process.communicate(packed)
    assert process.returncode == 0
    assert within(shared_stack, "cat", "/tmp/tree/sub/twin") == "text\n"
    with shared_stack.start("cp", "web:/tmp/tree", "-", stdout=subprocess.PIPE, text=False) as process:
        out = process.communicate()[0]
    with tarfile.open(fileobj=io.BytesIO(out)) as tar:
        assert sorted(tar.getnames()) == sorted(["tree", *(f"tree/{name}" for name in names(tree))])
        assert tar.getmember("tree/sub/twin").linkname == "tree/file"
        assert tar.getmember("tree/file").mtime == pytest.approx(1_234_567_890.123456)


def test_holes_stay_holes(stack, tmp_path):
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 30)
        file.seek(512 << 20)
        file.write(b"x" * 4096)
    stack.run("cp", str(tmp_path / "sparse"), "web:/data/sparse")
    stack.run("cp", "web:/data/sparse", str(tmp_path / "back"))
    back = (tmp_path / "back").stat()
    assert back.st_size == 1 << 30
    assert back.st_blocks * 512 < 1 << 20


def test_every_replica_is_copied_to_and_one_by_its_index(write_stack, tmp_path):
    stack = write_stack("services: {web: {image: 'rootfs:BUSYBOX', command: [sleep, infinity], init: true, scale: 3}}")
    stack.run("up", "-d")
    (tmp_path / "f").write_text("all")
    (tmp_path / "g").write_text("two")
    told = stack.run("cp", "--all", str(tmp_path / "f"), "web:/f").stderr
    assert [f"stack-web-{index}:/f" in told for index in (1, 2, 3)] == [True] * 3
    stack.run("cp", "--index", "2", str(tmp_path / "g"), "web:/g")
    for index in (1, 2, 3):
        assert stack.run("exec", "-T", "--index", str(index), "web", "cat", "/f").stdout == "all"
        stack.run("exec", "-T", "--index", str(index), "web", "test", "-e", "/g", code=0 if index == 2 else 1)
    archive = subprocess.run(["tar", "c", "-C", tmp_path, "g"], capture_output=True, check=True).stdout
    with stack.start("cp", "-", "web:/tmp", stdin=subprocess.PIPE, text=False) as process:
        process.communicate(archive)
    for index in (1, 2, 3):
        assert stack.run("exec", "-T", "--index", str(index), "web", "cat", "/tmp/g").stdout == "two"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("wep:/etc/passwd .", "did you mean web?"),
        ("web:/etc/paswd .", "did you mean stack-web-1:/etc/passwd?"),
        ("--index 7 web:/etc/passwd .", "--index may be 1"),
        ("nothing-here web:/tmp", "nothing-here does not exist"),
        ("web:/etc/passwd /no/such/place", "/no/such does not exist"),
        ("web:/etc /etc/passwd", "is not a directory"),
        ("web:/etc/passwd/ .", "is not a directory"),
        ("/etc/passwd web:/tmp/none/", "does not exist"),
        ("web:/etc/passwd job:/tmp", "not between services"),
        ("/etc/passwd /tmp", "neither path is in a service"),
        ("web: /tmp", "is not SERVICE:PATH"),
    ],
)
def test_wrong_input_is_refused_with_one_sentence(shared_stack, line, said):
    done = shared_stack.run("cp", *line.split(), code=1)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_copy_does_not_change_that_a_container_can_start(stack, tree):
    stack.run("cp", str(tree), "job:/srv")
    stack.run("up", "-d")
    eventually(lambda: stack.states()["job"] == "exited")
    stack.run("cp", "job:/srv/file", str(tree / "again"))
    assert (tree / "again").read_bytes() == b"text\n"
