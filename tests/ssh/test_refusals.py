"""What cannot be done on another machine is refused, in words that say why; and what is wrong is said at its place."""

from __future__ import annotations

import pytest

from tests.ssh.conftest import needs_ssh

pytestmark = needs_ssh

WEB = """
services:
  web: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true, stop_grace_period: 0s}
"""


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("watch", "where they are"),
        ("up --watch", "where they are"),
        ("up -d --follow", "followed"),
        ("test", "of this machine"),
        ("deploy", "asked from here"),
        ("ps --driver swarm", "asked from here"),
        ("apply plan.json", "written on the machine"),
        ("plan --out plan.json", "written on that machine"),
        ("publish registry.test/a", "is here"),
        ("web", "on that machine"),
        ("api", "on that machine"),
        ("metrics --listen 127.0.0.1:1", "served on that machine"),
        ("run -v ./data:/data web true", "relative paths are of this machine"),
    ],
)
def test_commands_that_belong_here(write_remote_stack, words, why):
    stack = write_remote_stack(WEB)
    error = stack.run(*words.split(), code=1).stderr
    assert why in error
    assert "hint:" in error


def test_a_relative_mount_must_be_at_the_same_place_there(write_remote_stack, server):
    mounted = WEB.replace("init:", "volumes: [./data:/data, /tmp:/other], init:")
    stack = write_remote_stack(mounted)
    error = stack.run("up", "-d", code=15).stderr
    assert "compose.yaml:3:" in error
    assert f"{stack.folder}/data does not exist on the other machine" in error
    assert not (stack.folder / "data").exists()
    (stack.folder / "data").mkdir()
    stack.run("up", "-d")
    assert stack.states() == {"web": "running"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("services:\n  web: {image: 'rootfs:./tree', command: a}\n", "2:16"),
        ("services:\n  web: {image: 'oci:../layout:1', command: a}\n", "2:16"),
        ("services:\n  web: {image: a, security_opt: ['seccomp=./profile.json']}\n", "2:"),
        ("services:\n  web: {image: a, volumes: ['~/absent:/x']}\n", "2:"),
        (
            "services:\n  web: {image: a, volumes: ['v:/x']}\nvolumes:\n"
            "  v: {driver_opts: {type: none, o: bind, device: ./absent}}\n",
            "4:",
        ),
        ("services:\n  web: {image: a, configs: [c]}\nconfigs:\n  c: {file: ./absent}\n", "4:"),
    ],
)
def test_other_relative_paths_are_refused_at_their_place(write_remote_stack, text, place):
    error = write_remote_stack(text).run("up", "-d", code=15).stderr
    assert f"compose.yaml:{place}" in error
    assert "other machine" in error or "another machine" in error


def test_mistakes_are_shown_with_the_line_of_the_file_here(write_remote_stack):
    stack = write_remote_stack(WEB.replace("image:", "imagge:"))
    error = stack.run("up", "-d", code=15).stderr
    assert "compose.yaml:3:9" in error
    assert "imagge: " in error
    assert "^" in error


def test_without_a_file_the_message_is_about_this_machine(write_remote_stack):
    stack = write_remote_stack(WEB)
    stack.file.unlink()
    assert f"{stack.file} does not exist" in stack.run("ps", code=14).stderr


def test_commands_about_the_file_run_here(write_remote_stack):
    stack = write_remote_stack(WEB, ORCHESTRA_HOST="ssh://nowhere.invalid")
    assert "services:" in stack.run("config").stdout
    assert "web" in stack.run("graph").stdout


@pytest.mark.parametrize(
    "address", ["host", "tcp://host", "ssh://-oProxyCommand=x", "ssh://a/b", "ssh://a:b@c", "ssh://a:99999"]
)
def test_only_addresses_are_given_to_ssh(write_remote_stack, address):
    stack = write_remote_stack(WEB)
    assert "ssh://[USER@]SERVER[:PORT]" in stack.run("--host", address, "ps", code=1).stderr
