"""Containers of root's stacks that have users of their own: ``userns_mode``."""

from __future__ import annotations

import os

import pytest

from tests.examples.conftest import eventually, needs_containers

pytestmark = needs_containers

UNUSED = range(0x70000000, 0x80000000)


@pytest.fixture
def stack(write_stack, tmp_path):
    (tmp_path / "host").mkdir()
    os.chown(tmp_path / "host", 1000, 1000)
    return write_stack(
        f"""
services:
  own:
    image: rootfs:BUSYBOX
    userns_mode: auto
    secrets: [{{source: word, uid: "5", gid: "6", mode: 0400}}]
    command: |
      sh -c "stat -c '%u %g %n' /bin /host /vol /etc/hosts /run/secrets/word
      touch /new /host/roots /vol/x; exec sleep 1000"
    volumes: ["{tmp_path}/host:/host", "vol:/vol"]
    sysctls: {{net.ipv4.tcp_syncookies: "0"}}
  other:
    image: rootfs:BUSYBOX
    userns_mode: auto:size=70000
    user: "1000"
    command: sh -c "touch /host/users; exec httpd -f -p 80"
    volumes: ["{tmp_path}/host:/host"]
  same:
    image: rootfs:BUSYBOX
    userns_mode: keep-id
    command: sh -c "touch /host/same; exec sleep 1000"
    volumes: ["{tmp_path}/host:/host"]
volumes: {{vol: {{}}}}
secrets: {{word: {{environment: WORD}}}}
""",
        WORD="secret",
    )


def owner(path):
    status = os.stat(path)
    return status.st_uid, status.st_gid


def map_of(stack, service):
    first, outside, size = map(int, stack.run("exec", service, "cat", "/proc/self/uid_map").stdout.split())
    assert first == 0
    return range(outside, outside + size)


def test_each_container_has_ids_of_its_own_and_files_keep_their_owners(stack, tmp_path):
    stack.run("up", "-d")
    said = eventually(lambda: (text := stack.run("logs", "--no-log-prefix", "own").stdout) and text)
    assert said.splitlines() == ["0 0 /bin", "1000 1000 /host", "0 0 /vol", "0 0 /etc/hosts", "5 6 /run/secrets/word"]
    host = tmp_path / "host"
    eventually((host / "users").exists)
    assert [owner(host / name) for name in ("roots", "users", "same")] == [(0, 0), (1000, 1000), (0, 0)]

    own, other = map_of(stack, "own"), map_of(stack, "other")
    assert (len(own), len(other)) == (1024, 70000)
    assert all(number in UNUSED for number in (own[0], own[-1], other[0], other[-1]))
    assert own[-1] < other[0] or other[-1] < own[0]
    assert "0 0 4294967295" in " ".join(stack.run("exec", "same", "cat", "/proc/self/uid_map").stdout.split())

    # Networks work alike, though they belong to the stack's users.
    stack.run("exec", "own", "wget", "-qO", "/dev/null", "http://other/bin/busybox")
    assert stack.run("exec", "own", "cat", "/proc/sys/net/ipv4/tcp_syncookies").stdout == "0\n"
    check_what_it_may_not(stack)


def check_what_it_may_not(stack):
    refused = stack.run("exec", "own", "sh", "-c", "mount -t tmpfs none /mnt; kill -0 1 && cat /proc/1/environ; id -u")
    assert refused.stdout.endswith("0\n")
    assert "denied" in refused.stderr


def test_copies_commits_and_another_start_have_the_containers_owners(stack, tmp_path):
    stack.run("up", "-d", "own")
    (tmp_path / "given").write_text("text")
    for running in (True, False):
        stack.run("cp", str(tmp_path / "given"), "own:/tmp/given")
        if running:
            assert stack.run("exec", "own", "stat", "-c", "%u %g", "/tmp/given").stdout == "0 0\n"
            stack.run("exec", "own", "chown", "7:8", "/tmp/given", "/new")
            stack.run("stop", "-t", "1", "own")
        for name in ("/new", "/tmp/given"):
            stack.run("cp", "-a", f"own:{name}", str(tmp_path / "taken"))
            assert owner(tmp_path / "taken") == ((7, 8) if running or name == "/new" else (0, 0)), name
    stack.run("start", "own")
    assert stack.run("exec", "own", "stat", "-c", "%u %g", "/new").stdout == "7 8\n"
    assert "own" not in stack.run("plan", code=2).stdout
    stack.run("up", "-d", "--force-recreate", "own")
    assert stack.run("exec", "own", "stat", "-c", "%u", "/vol/x").stdout == "0\n"


def test_a_file_system_that_cannot_show_other_owners_is_named(write_stack):
    stack = write_stack(
        """
services:
  own:
    image: rootfs:BUSYBOX
    userns_mode: auto
    command: sleep 1000
    volumes: ["/sys/kernel:/kernel"]
"""
    )
    said = stack.run("up", "-d", code=1).stderr
    assert "compose.yaml:3:3: container stack-own-1: mount_setattr /kernel: Invalid argument" in said
    assert "the file system of its source cannot show other owners" in said


def test_root_is_the_only_user_that_root_can_keep(write_stack):
    stack = write_stack(
        "services: {own: {image: 'rootfs:BUSYBOX', userns_mode: 'keep-id:uid=5,gid=5', command: sleep 9}}"
    )
    assert "the user to keep is root, whose id is 0" in stack.run("up", "-d", code=1).stderr
