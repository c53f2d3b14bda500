"""Connections that break, that never come about, or that lead to another program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra import __version__
from orchestra.ssh.frames import PROTOCOL
from tests.examples.conftest import eventually
from tests.ssh.conftest import Server, needs_ssh

pytestmark = needs_ssh

STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "while :; do echo tick; sleep 0.1; done"]
    init: true
    stop_grace_period: 0s
"""
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


@pytest.fixture
def stack(write_remote_stack):
    return write_remote_stack(STACK)


def _processes(word: str, mark: str) -> list[int]:
    """Those with this word in their command line, and the mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (path / "cmdline").read_bytes() and mark.encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return sorted(found)


def _ssh_of(server) -> list[int]:
    return [pid for pid in _processes(server.url, server.url) if Path(f"/proc/{pid}/exe").resolve().name == "ssh"]


def _left_there(server) -> list[int]:
    return _processes("__answer", f"ORCHESTRA_HOME={server.home}")


def _watch(stack, *words):
    process = stack.start(*words, **PIPES)
    assert "tick" in next(line for line in process.stdout if "tick" in line)
    return process


def test_the_connection_breaks_in_the_middle_of_up(stack, server):
    with _watch(stack, "up") as process:
        [pid] = _ssh_of(server)
        os.kill(pid, signal.SIGKILL)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 18
    assert "the connection to 127.0.0.1 was lost" in err
    eventually(lambda: not _left_there(server))
    assert stack.states() == {"web": "running"}


def test_the_command_here_is_killed(stack, server):
    stack.run("up", "-d")
    with _watch(stack, "logs", "-f") as process:
        process.kill()
        process.communicate(timeout=30)
    eventually(lambda: not _left_there(server) and not _ssh_of(server))
    assert stack.states() == {"web": "running"}


def test_the_other_side_is_killed(stack, server):
    stack.run("up", "-d")
    with _watch(stack, "logs", "-f") as process:
        answering = min(_left_there(server))
        os.kill(answering, signal.SIGKILL)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 18
    assert "was lost" in err
    eventually(lambda: not _left_there(server))
    assert stack.states() == {"web": "running"}


def test_two_commands_at_once(stack):
    both = [stack.start("up", "-d", **PIPES) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert stack.states() == {"web": "running"}


def test_no_server(stack):
    stack.environment["ORCHESTRA_HOST"] = "ssh://127.0.0.1:1"
    error = stack.run("ps", code=18).stderr
    assert "no connection to 127.0.0.1: ssh has ended with exit code 255" in error
    assert "Connection refused" in error


def test_an_unknown_host_key_is_refused_by_ssh(stack, server):
    known = server.path / "known_hosts"
    kept = known.read_text()
    try:
        known.write_text("")
        assert "Host key verification failed" in stack.run("ps", code=18).stderr
    finally:
        known.write_text(kept)


@pytest.fixture
def other(tmp_path, stack):
    """A server whose Orchestra is a given program. Returns the standard error of ``ps`` on it."""

    def ask(program: str | None) -> str:
        path = tmp_path / "other"
        (path / "bin").mkdir(parents=True)
        if program is not None:
            (path / "bin" / "orchestra").write_text(f"#!/bin/sh\n{program}\n")
            (path / "bin" / "orchestra").chmod(0o755)
        found = Server(path)
        found.write(path / "bin", others="/usr/bin:/bin")
        with found.running():
            stack.environment |= found.environment
            return stack.run("ps", code=18).stderr

    return ask


def test_no_orchestra_there(other):
    error = other(None)
    assert "there is no orchestra on 127.0.0.1" in error
    assert "pipx install" in error


def test_an_orchestra_that_is_too_old(other):
    assert "too old to be asked" in other("exit 16")


def test_versions_that_do_not_fit_are_both_named(other):
    error = other(f"printf '\\0orchestra {PROTOCOL + 1} 99.1\\n'; cat >/dev/null")
    assert "Orchestra 99.1 on 127.0.0.1 do not understand each other" in error


def test_releases_that_do_not_fit_are_both_named(other):
    error = other(f"printf '\\0orchestra {PROTOCOL} 99.1.2\\n'; cat >/dev/null")
    assert f"Orchestra {__version__} here and Orchestra 99.1.2 on 127.0.0.1" in error


def test_a_program_that_says_something_else(other):
    assert "answers with something else" in other("seq 100000; cat >/dev/null")


def test_words_of_a_shell_before_the_greeting_are_skipped_and_others_refused(other):
    assert "answers with something else" in other(
        f"echo Welcome; printf '\\0orchestra {PROTOCOL} {__version__}\\n'; seq 1000"
    )


CURIOUS = """#!{python}
import sys
from orchestra import __version__
from orchestra.ssh.frames import STDERR, WANTED, Outbox, Parser, render_greeting
from orchestra.ssh.order import decode
sys.stdout.buffer.write(render_greeting(__version__))
sys.stdout.flush()
parser = Parser()
while not (frames := parser.frames()):
    parser.feed(sys.stdin.buffer.read1())
with open("{path}/received", "wb") as file:
    file.write(frames[0].content)
box = Outbox(1)
box.send(WANTED, STDERR + 1, b"/etc/passwd")
box.write()
sys.exit(len(sys.stdin.buffer.read()))
"""


def test_a_server_gets_no_file_that_was_not_named(tmp_path, stack):
    """One that was taken over asks for more."""
    path = tmp_path / "other"
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "orchestra").write_text(CURIOUS.format(python=sys.executable, path=path))
    (path / "bin" / "orchestra").chmod(0o755)
    (stack.folder / "unused.env").write_text("SECRET=1\n")
    found = Server(path)
    found.write(path / "bin", others="/usr/bin:/bin")
    with found.running():
        stack.environment |= found.environment | {"UNUSED_TOKEN": "private"}
        assert "asks for /etc/passwd, which neither" in stack.run("build", code=1).stderr
    received = (path / "received").read_bytes()
    assert json.loads(received)["files"][str(stack.file)]
    assert b"private" not in received
    assert b"unused.env" not in received
