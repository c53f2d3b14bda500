"""Terminals, pipes, signals and exit codes are as if the command ran here."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys

import pytest

from orchestra.linux import tty
from tests.examples.conftest import eventually
from tests.ssh.conftest import needs_ssh

pytestmark = needs_ssh

STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "trap 'exit 0' TERM; while :; do echo tick; sleep 0.1; done"]
    stop_grace_period: 1s
"""


@pytest.fixture
def stack(write_remote_stack):
    return write_remote_stack(STACK)


@pytest.fixture
def running(stack):
    stack.run("up", "-d")
    return stack


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, stack, *words: str, columns: int = 80) -> None:
        self.master, slave = pty.openpty()
        tty.set_size(self.master, tty.Size(24, columns))
        environment = stack.environment | {"TERM": "xterm-256color"}
        command = [sys.executable, "-m", "orchestra", "-f", str(stack.file), *words]
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command], stdin=slave, stdout=slave, stderr=slave, env=environment
        )
        os.close(slave)
        os.set_blocking(self.master, False)
        self.shown = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def read(self) -> str:
        try:
            while data := os.read(self.master, 65536):
                self.shown += data.decode(errors="replace")
        except OSError:
            pass
        return self.shown

    def until(self, pattern: str):
        return eventually(lambda: re.search(pattern, self.read()))

    def end(self) -> int:
        eventually(lambda: (self.read(), self.process.poll() is not None)[1])
        return self.process.wait()


def test_a_shell_on_a_terminal(running):
    with Terminal(running, "exec", "web", "sh", columns=63) as terminal:
        terminal.until("[#$] ")
        terminal.type("stty size; tty\n")
        terminal.until("24 63")
        terminal.until("/dev/pts/")
        tty.set_size(terminal.master, tty.Size(30, 70))
        terminal.process.send_signal(signal.SIGCONT)
        eventually(lambda: (terminal.type("stty size\n"), "30 70" in terminal.read())[1])
        terminal.type("sh -c 'echo be''gun; exec sleep 100'\n")
        terminal.until("begun")
        terminal.type("\x03")
        terminal.type("exit 7\n")
        assert terminal.end() == 7


def test_up_in_the_foreground_ends_with_ctrl_c(stack):
    with Terminal(stack, "up", columns=60) as terminal:
        terminal.until("tick")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert all(len(line) <= 60 for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.shown).splitlines())
    assert stack.states() == {"web": "exited"}


def test_the_menu_of_up_does_not_watch_files_that_are_not_there(stack):
    with Terminal(stack, "up") as terminal:
        terminal.until("tick")
        terminal.type("w")
        terminal.until("change only there")
        terminal.type("d")
        assert terminal.end() == 0
    assert stack.states() == {"web": "running"}


def test_signals_reach_the_command_without_a_terminal(stack):
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with stack.start("up", **pipes) as process:
        assert "tick" in next(line for line in process.stdout if "tick" in line)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert stack.states() == {"web": "exited"}


def test_bytes_pass_both_ways(running):
    content = os.urandom(2_000_000)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": False}
    with running.start("exec", "-T", "web", "cat", **pipes) as process:
        out, _ = process.communicate(content, timeout=60)
    assert process.returncode == 0
    assert out == content


def test_streams_and_exit_codes_stay_apart(running):
    done = running.run("exec", "-T", "web", "sh", "-c", "echo out; echo err >&2; exit 255", code=255)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert "no such service" in running.run("logs", "wb", code=1).stderr


def test_what_is_not_read_is_left_in_the_input(running):
    with running.start("ps", "-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write("for the next command\n")
        process.stdin.flush()
        assert process.stdout.read()
        assert process.wait(30) == 0


def test_a_reader_that_has_seen_enough(running):
    with running.start("logs", "-f", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 141


def test_questions_are_answered_here(running):
    running.run("stop")
    with Terminal(running, "rm") as terminal:
        terminal.until("Are you sure")
        terminal.type("y\n")
        assert terminal.end() == 0
    assert running.states() == {}


def test_keys_detach_from_a_container(stack):
    service = "{image: 'rootfs:BUSYBOX', command: sh, tty: true, stdin_open: true, stop_signal: KILL}"
    stack.write(f"services: {{shell: {service}}}")
    stack.run("up", "-d")
    with Terminal(stack, "attach", "shell") as terminal:
        eventually(lambda: (terminal.type("echo be''gun\n"), "begun" in terminal.read())[1])
        terminal.type("\x10\x11")
        assert terminal.end() == 1
        assert "Detached from shell" in terminal.shown
    assert stack.states() == {"shell": "running"}


def test_events_come_as_they_happen(running):
    with running.start("events", "--json", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as events:
        eventually(lambda: (running.run("restart", "-t", "0"), select.select([events.stdout], [], [], 0)[0])[1])
        assert json.loads(events.stdout.readline())
        events.send_signal(signal.SIGINT)
        events.stdout.read()
        assert events.wait(30) == 130


def test_the_dashboard(running):
    with Terminal(running, "ui") as terminal:
        terminal.until("web")
        terminal.until("running")
        terminal.type("q")
        assert terminal.end() == 0


def test_live_figures_on_a_narrow_terminal(running):
    with Terminal(running, "stats", columns=60) as terminal:
        terminal.until("stack-web-1")
        terminal.process.send_signal(signal.SIGINT)
        terminal.type("\x03")
        assert terminal.end() == 130
