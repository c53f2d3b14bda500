"""What is wrong is said on one screen, at its place, with what to do; and `down` leaves nothing behind."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from orchestra.linux.mounts import mount
from tests.examples.conftest import eventually
from tests.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]

SERVICE = 'services:\n  web:\n    image: "rootfs:/"\n    command: [sleep, infinity]\n    stop_signal: SIGKILL\n'

FILES = {
    "unknown key": (SERVICE + "    imagge: x\n", 15, ":6:5", "image"),
    "wrong type": (SERVICE + "    ports: 80\n", 15, ":6:12", "ports"),
    "cycle": (SERVICE + "    depends_on: [db]\n  db: {image: 'rootfs:/', depends_on: [web]}\n", 15, ":6:18", "web"),
    "undefined network": (SERVICE + "    networks: [backend]\n", 15, ":6:16", "backend"),
    "required variable": (SERVICE + "    user: ${WHO:?name somebody}\n", 15, ":6:11", "name somebody"),
    "missing rootfs": (SERVICE.replace("rootfs:/", "rootfs:/no/such/tree"), 1, ":3:12", "/no/such/tree"),
    "no such signal": (SERVICE.replace("SIGKILL", "SIGFOO"), 1, ":2:3", "no such signal: SIGFOO"),
    "no address of a host": (
        SERVICE + "    extra_hosts: ['db=here']\n",
        1,
        ":2:3",
        "db=here: here is not an IP address",
    ),
    "no address of a server": (SERVICE + "    dns: [here]\n", 1, ":2:3", "dns here: here is not an IP address"),
    "no hardware address": (SERVICE + "    mac_address: here\n", 1, ":2:3", "mac_address here is malformed"),
    "one port twice": (
        SERVICE + "    ports: ['7:7', '7:8']\n",
        1,
        ":6:20",
        "in use by another port of the same service",
    ),
    "an address that is not here, on the same port": (
        SERVICE + "    ports: ['127.0.0.1:61007:7', '192.0.2.1:61007:8']\n",
        1,
        ":6:34",
        "no network interface of this machine has that address",
    ),
    "silent registry": (SERVICE.replace("rootfs:/", "127.0.0.1:1/web:1"), 1, ":3:12", "127.0.0.1:1/web:1"),
}


def assert_one_screen(text: str) -> None:
    assert len(text.splitlines()) <= 24
    assert "Traceback" not in text


def assert_nothing_was_made(home: Path) -> None:
    for kind in ("data/snapshots", "run/stacks", "run/netns", "data/volumes"):
        found = [path for path in (home / kind).glob("**/*") if not path.is_dir()]
        assert found == []


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused_at_its_place(write_stack, tmp_path, name):
    text, code, place, word = FILES[name]
    stack = write_stack(text)
    done = stack.run("up", "-d", code=code)
    assert f"compose.yaml{place}" in done.stderr
    assert word in done.stderr
    assert_one_screen(done.stderr)
    if code != 15:
        stack.run("down", "-v")
    assert_nothing_was_made(tmp_path / "home")


def test_an_image_that_is_not_an_image(write_stack, tmp_path):
    (tmp_path / "not-an-image.tar").write_bytes(b"just some bytes\n" * 100)
    stack = write_stack(SERVICE.replace("rootfs:/", f"oci-archive:{tmp_path}/not-an-image.tar"))
    done = stack.run("up", "-d", code=1)
    assert "compose.yaml:3:12" in done.stderr
    assert "not-an-image.tar" in done.stderr
    assert_one_screen(done.stderr)
    stack.run("down", "-v")
    assert_nothing_was_made(tmp_path / "home")


def test_a_port_in_use_names_the_port_and_who_has_it(write_stack, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stack = write_stack(SERVICE + f"    ports: ['127.0.0.1:{port}:80']\n")
        done = stack.run("up", "-d", code=1)
        assert "compose.yaml:6:13" in done.stderr
        assert str(port) in done.stderr
        assert "in use" in done.stderr
        assert f"{os.getpid()}" in done.stderr
        assert_one_screen(done.stderr)
        stack.run("down", "-v")
        assert_nothing_was_made(tmp_path / "home")


def test_a_full_file_system_is_reported_where_it_cannot_be_logged(write_stack, tmp_path):
    stack = write_stack(SERVICE)
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    mount.mount("tmpfs", str(home), "tmpfs", data="size=200k")
    try:
        with suppress(OSError), open(home / "fill", "wb", buffering=0) as fill:
            while True:
                fill.write(bytes(4096))
        done = stack.run("up", "-d", code=1)
        assert f"the file system of {home}/data/stacks/stack has no space or no inodes left" in done.stderr
        assert_one_screen(done.stderr)
        (home / "fill").unlink()
        stack.run("up", "-d")
        stack.run("down")
        assert_nothing_was_made(home)
    finally:
        eventually(lambda: mount.unmount(str(home)) is None)  # the supervisor leaves a moment after down


def test_a_command_that_does_not_exist_is_named(write_stack, tmp_path):
    stack = write_stack(SERVICE.replace("[sleep, infinity]", "[no-such-program]"))
    done = stack.run("up", "-d", code=1)
    assert "no-such-program" in done.stderr
    assert "not found" in done.stderr or "no such file" in done.stderr.lower()
    assert_one_screen(done.stderr)


def test_all_problems_of_a_file_are_reported_at_once(write_stack):
    stack = write_stack(SERVICE + "    imagge: x\n    ports: 80\n  db: {}\n")
    done = stack.run("config", code=15)
    assert "imagge" in done.stderr
    assert ":7:12" in done.stderr


def test_no_file_at_all(write_stack):
    stack = write_stack(SERVICE)
    stack.file.unlink()
    assert "compose.yaml" in stack.run("up", "-d", code=14).stderr


@pytest.mark.parametrize("text", ["services: {}\n", "services: {web: {image: x, profiles: [other]}}\n"])
def test_a_file_without_services_is_reported(write_stack, tmp_path, text):
    done = write_stack(text).run("up", "-d", code=1)
    assert "error: no service selected" in done.stderr
    assert_nothing_was_made(tmp_path / "home")


def test_a_port_of_another_stack_is_reported_with_its_container(write_stack):
    port = free_port()
    text = SERVICE + f"    ports: ['127.0.0.1:{port}:80']\n"
    write_stack(text, "first").run("up", "-d")
    done = write_stack(text, "second").run("up", "-d", code=1)
    assert f"port {port}/tcp on 127.0.0.1 is already in use by container first-web-1 of stack first" in done.stderr
