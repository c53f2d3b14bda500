"""The caller's own terminal and that of a container, with ``run`` or ``exec`` between. And roots without a pivot."""

from __future__ import annotations

import os
import pty
import select
import signal
import termios
import time

import pytest

from orchestra.linux import tty
from tests.oci_cli.test_namespaces import mapped


class Caller:
    """A command on a terminal of its own, whose other side we hold."""

    def __init__(self, runtime, *words, rows=9, columns=41) -> None:
        if words[0] == "run":
            runtime.bundles["c"].write()
            runtime.ids.add("c")
            words = (words[0], "--bundle", str(runtime.bundles["c"].path), *words[1:])
        self.before = None
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                tty.set_size(0, tty.Size(rows, columns))
                os.execvp(runtime.command[0], [*runtime.command, *words])
            finally:
                os._exit(127)
        self.text = ""

    def read_until(self, word):
        end = time.monotonic() + 20
        while word not in self.text:
            assert select.select([self.master], [], [], max(0, end - time.monotonic()))[0], self.text
            self.text += os.read(self.master, 4096).decode()

    def type(self, text):
        os.write(self.master, text.encode())

    def is_raw(self):
        return not termios.tcgetattr(self.master)[3] & termios.ICANON

    def wait(self):
        """Exit code; what is still to be read is, or it could not end."""
        while True:
            try:
                data = os.read(self.master, 4096)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode()
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def terminal_of(runtime, *args):
    return runtime.bundle(*args, terminal=True)


def test_what_is_typed_and_shown_passes_between_the_terminals(runtime):
    terminal_of(runtime, "sh", "-c", 'tty; read word; echo "<$word>"; exit 4')
    caller = Caller(runtime, "run", "c")
    caller.read_until("/dev/pts/0")
    assert caller.is_raw()
    caller.type("asked\r")
    caller.read_until("<asked>")
    assert caller.wait() == 4


@pytest.mark.lacks(crun="1.8 passes no sizes on")
def test_the_container_has_the_size_of_the_callers_terminal(runtime):
    """runc sets it when it has begun to pass on: it may come a moment later."""
    terminal_of(runtime, "sh", "-c", "while [ \"$(stty size)\" != '9 41' ]; do sleep 0.02; done; echo as wide")
    caller = Caller(runtime, "run", "c")
    caller.read_until("as wide")
    assert caller.wait() == 0


@pytest.mark.lacks(crun="1.8 passes no sizes on")
def test_a_change_of_size_is_passed_on(runtime):
    script = "trap 'stty size' WINCH; trap 'exit 0' INT; echo ready; while :; do sleep 0.02; done"
    terminal_of(runtime, "sh", "-c", script)
    caller = Caller(runtime, "run", "c")
    caller.read_until("ready")
    tty.set_size(caller.master, tty.Size(12, 77))
    caller.read_until("12 77")
    caller.type("\x03")
    assert caller.wait() == 0


def test_an_interrupt_is_a_key_of_the_containers_terminal(runtime):
    terminal_of(runtime, "sh", "-c", "trap 'echo stopped; exit 6' INT; echo ready; while :; do sleep 0.02; done")
    caller = Caller(runtime, "run", "c")
    caller.read_until("ready")
    caller.type("\x03")
    assert caller.wait() == 6
    assert "stopped" in caller.text


def test_a_program_is_executed_on_a_terminal(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    caller = Caller(runtime, "exec", "--tty", "c", "sh", "-c", 'tty; read word; echo "<$word>"; exit 5')
    caller.read_until("/dev/pts/0")
    caller.type("asked\r")
    assert caller.wait() == 5
    assert "<asked>" in caller.text


def test_much_output_comes_completely(ours):
    terminal_of(ours, "sh", "-c", "seq 20000")
    caller = Caller(ours, "run", "c")
    assert caller.wait() == 0
    assert caller.text.split() == [str(number) for number in range(1, 20001)]


def test_the_callers_terminal_is_as_before_when_the_runtime_is_told_to_end(ours):
    terminal_of(ours, "sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.02; done")
    caller = Caller(ours, "run", "c")
    caller.read_until("ready")
    held = os.dup(caller.master)
    assert caller.is_raw()
    os.kill(caller.pid, signal.SIGTERM)
    while os.waitid(os.P_PID, caller.pid, os.WEXITED | os.WNOWAIT) is None:
        continue
    assert termios.tcgetattr(held)[3] & termios.ICANON
    os.close(held)
    assert caller.wait() == 3


@pytest.mark.parametrize("user", ["machine", "mapped"])
def test_a_root_without_a_pivot_is_the_only_one_there_is(runtime, user):
    """For a machine that runs from its initial ramdisk, whose root cannot be exchanged (pivot_root(2))."""
    script = "cat /etc/secret; ls -d /boot 2>/dev/null; cd ../../..; ls -d etc; ls -d boot 2>/dev/null; true"
    if user == "mapped":
        mapped(runtime, "sh", "-c", script)
    else:
        runtime.bundle("sh", "-c", script)
    assert runtime.ok("run", "--no-pivot", "c").split() == ["secret", "etc"]


def test_a_program_is_executed_in_a_root_without_a_pivot(runtime):
    runtime.bundle()
    runtime.ok("run", "--no-pivot", "--detach", "c")
    assert runtime.ok("exec", "c", "cat", "/etc/secret") == "secret\n"
