"""``orchestra attach`` to real containers, by pipes and on a terminal."""

from __future__ import annotations

import signal
import subprocess

from tests.examples.conftest import eventually, needs_containers
from tests.examples.terminals import Typed
from tests.examples.test_run import pipes

pytestmark = needs_containers

STACK = """
services:
  echo:
    image: "rootfs:BUSYBOX"
    command:
    - sh
    - -c
    - "while read line; do echo got $$line; echo err $$line >&2; [ $$line = end ] && exit 4; done"
    stdin_open: true
  loop: {image: "rootfs:BUSYBOX", command: [sh, -c, "trap 'echo hup' HUP; while :; do sleep 0.05; done"]}
  shell: {image: "rootfs:BUSYBOX", command: [sh], stdin_open: true, tty: true}
"""


def test_lines_go_both_ways_and_the_end_is_the_containers(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    with pipes(stack, "attach", "echo", stdin=subprocess.PIPE) as first:
        first.stdin.write("one\n")
        first.stdin.flush()
        assert first.stdout.readline() == "got one\n"
        assert first.stderr.readline() == "err one\n"
        first.stdin.close()  # the container's stays open
        with pipes(stack, "attach", "echo", stdin=subprocess.PIPE) as second:
            second.stdin.write("two\n")
            second.stdin.flush()
            assert second.stdout.readline() == "got two\n"
            assert first.stdout.readline() == "got two\n"
            second.stdin.write("end\n")
            second.stdin.flush()
            assert second.wait(timeout=30) == 4
        assert first.wait(timeout=30) == 4
    assert "is not running" in stack.run("attach", "echo", code=1).stderr
    assert "no such service" in stack.run("attach", "nope", code=1).stderr
    assert "is no key" in stack.run("attach", "--detach-keys", "ctrl-", "shell", code=1).stderr
    assert "standard input is none" in stack.run("attach", "shell", code=1).stderr


def test_signals_are_passed_on_unless_that_is_not_wanted(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d", "loop")
    with (
        pipes(stack, "attach", "--no-stdin", "loop") as attached,
        pipes(stack, "attach", "--no-stdin", "--sig-proxy=false", "loop") as watching,
    ):
        eventually(lambda: _waits(attached) and _waits(watching))
        attached.send_signal(signal.SIGHUP)
        assert watching.stdout.readline() == "hup\n"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=30) == 130
        assert stack.states()["loop"] == "running"
        stack.run("kill", "loop")
        assert attached.wait(timeout=30) == 137


def _waits(process):
    """Whether it is attached, and waits for what comes."""
    with open(f"/proc/{process.pid}/wchan") as file:
        return "poll" in file.read()


def test_a_terminal_is_shared_and_left_by_keys_of_ones_own(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d", "shell")
    with Typed(stack, "attach", "--detach-keys", "ctrl-a,d", "shell", rows=30, columns=60) as terminal:
        terminal.type("stty size\r")
        terminal.until("30 60")
        terminal.type("echo a''b\x01\x01d")
        terminal.until("Detached")
        assert terminal.process.wait(timeout=30) == 1
        assert terminal.is_as_before()
    assert stack.states()["shell"] == "running"
    with Typed(stack, "attach", "shell") as terminal:
        terminal.type("\rexit 3\r")
        assert terminal.process.wait(timeout=30) == 3
