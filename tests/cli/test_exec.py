"""``exec`` behaves as if the program ran right here: terminal, pipes, signals, exit codes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from orchestra.cli.parse import parse
from orchestra.errors import UserError
from orchestra.linux import process
from orchestra.stacks.containers import observe_containers
from orchestra.stacks.exec import choose_container
from tests.examples.conftest import eventually
from tests.examples.test_killed_in_the_middle import find

STACK = """
services:
  web:
    image: "rootfs:/"
    command: [sleep, infinity]
    stop_signal: SIGKILL
    environment: {COLOUR: red}
    scale: 2
  once: {image: "rootfs:/", command: ["true"]}
"""
MIB = 1 << 20


@pytest.fixture(scope="module")
def root():
    if os.geteuid() != 0:
        pytest.skip("containers need root")


@pytest.fixture(scope="module")
def web(root, write_shared_stack):
    """One for all tests that leave nothing in it but files of their own."""
    stack = write_shared_stack(STACK)
    stack.run("up", "-d")
    return stack


@pytest.fixture
def fresh_web(root, write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    return stack


def pipes(stack, *arguments, **options):
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    process = stack.start("exec", "-T", *arguments, **streams)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.reconfigure(newline="")
    return process


class Terminal:
    """An ``orchestra exec`` whose three streams are one terminal, and what it has shown."""

    def __init__(self, stack, *arguments, rows=40, columns=100) -> None:
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = stack.start(
            "exec", *arguments, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=self._own
        )
        self.shown = b""

    def _own(self):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, text):
        """Wait until ``text`` has been shown, and forget what was shown up to it."""
        deadline = time.monotonic() + 30
        while text.encode() not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.shown!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                self.shown += os.read(self.master, 65536)
        self.shown = self.shown.partition(text.encode())[2]

    def close(self):
        code = self.process.wait(30)
        restored = termios.tcgetattr(self.slave) == self.before
        os.close(self.slave)
        os.close(self.master)
        return code, restored


def test_a_terminal_is_real_and_follows_the_size_of_ours(fresh_web):
    terminal = Terminal(fresh_web, "web", "sh")
    terminal.type("stty size; tty\r")
    terminal.expect("40 100")
    terminal.expect("/dev/pts/0")
    terminal.resize(33, 77)
    os.killpg(terminal.process.pid, signal.SIGWINCH)
    terminal.type("stty size\r")
    terminal.expect("33 77")
    terminal.type("exit 5\r")
    assert terminal.close() == (5, True)


def test_ctrl_c_reaches_the_program_on_a_terminal_and_not_us(web):
    terminal = Terminal(web, "web", "sh")
    terminal.type("sleep 100\r")
    terminal.expect("sleep 100")
    eventually(lambda: web.run("exec", "-T", "web", "pgrep", "-f", "sleep 100", code=None).stdout)
    terminal.type("\x03")
    terminal.type("echo code $?\r")
    terminal.expect("code 130")
    terminal.type("\x04")
    assert terminal.close() == (0, True)


def test_a_terminal_is_put_right_when_we_are_ended(web):
    terminal = Terminal(web, "web", "sh", "-c", "echo ready; sleep 1000")
    terminal.expect("ready")
    terminal.process.terminate()
    assert terminal.close() == (143, True)
    eventually(lambda: web.run("exec", "-T", "web", "pgrep", "-f", "sleep 1000", code=None).returncode == 1)


def test_no_terminal_without_one_here_or_by_option(web):
    assert web.run("exec", "web", "tty", code=1).stdout == "not a tty\n"
    terminal = Terminal(web, "-T", "web", "tty")
    terminal.expect("not a tty")
    assert terminal.close() == (1, True)


def test_much_data_passes_both_ways_unharmed(web, tmp_path):
    data = os.urandom(MIB) * 40
    (tmp_path / "data").write_bytes(data)
    with (tmp_path / "data").open() as source:
        process = web.start("exec", "-T", "web", "cat", stdin=source, stdout=subprocess.PIPE)
        digest = hashlib.sha256(process.stdout.buffer.read()).hexdigest()
    process.stdout.close()
    assert process.wait(30) == 0
    assert digest == hashlib.sha256(data).hexdigest()


def test_output_and_errors_stay_apart_and_complete(web):
    script = "cat > /dev/null; head -c 3000000 /dev/zero | tr '\\0' o; head -c 2000000 /dev/zero | tr '\\0' e >&2"
    process = pipes(web, "web", "sh", "-c", script)
    out, err = process.communicate("x" * 1_000_000, timeout=30)
    assert process.returncode == 0
    assert out == "o" * 3_000_000
    assert err == "e" * 2_000_000


def test_output_that_has_no_room_is_an_error(web):
    """A copy that is cut off must not look like a whole one."""
    with open("/dev/full", "wb") as full:
        for words in (("echo", "hi"), ("seq", "100000")):
            command = web.start(
                "exec", "-T", "web", *words, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE
            )
            _out, err = command.communicate(timeout=20)
            assert command.returncode == 1
            assert "standard output is incomplete: No space left on device" in err


def test_the_end_of_input_is_passed_on_when_it_comes(web):
    process = pipes(web, "web", "cat")
    process.stdin.write("early\n")
    process.stdin.flush()
    assert process.stdout.readline() == "early\n"
    process.stdin.write("late\n")
    process.stdin.close()
    assert process.stdout.read() == "late\n"
    assert process.wait(30) == 0
    process.stdout.close()
    process.stderr.close()


def test_a_program_that_does_not_read_or_is_not_read_does_not_hang(web):
    endless = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    with endless:
        process = web.start("exec", "-T", "web", "true", stdin=endless.stdout)
        assert process.wait(30) == 0
        endless.stdout.close()
    process = pipes(web, "web", "yes", stdin=subprocess.DEVNULL)
    assert process.stdout.readline() == "y\n"
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_what_runs_on_in_the_background_is_not_waited_for(web):
    pid = web.run("exec", "-T", "web", "sh", "-c", "sleep infinity & echo $!").stdout.strip()
    web.run("exec", "-T", "web", "sh", "-c", f"kill {pid}")


def test_signals_without_a_terminal_are_passed_on(web):
    for number in (signal.SIGINT, signal.SIGTERM):
        script = (
            f"trap 'echo caught; exit 9' {number.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.05; done"
        )
        process = pipes(web, "web", "sh", "-c", script)
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, _err = process.communicate(timeout=30)
        assert (out, process.returncode) == ("caught\n", 9)


def test_exit_codes_are_those_of_the_program_or_dockers(web):
    assert web.run("exec", "-T", "web", "sh", "-c", "exit 42", code=42)
    assert web.run("exec", "-T", "web", "sh", "-c", "kill -9 $$", code=137)
    missing = web.run("exec", "-T", "web", "no-such-program", code=127)
    assert "no-such-program" in missing.stderr
    assert len(missing.stderr.splitlines()) <= 2
    assert web.run("exec", "-T", "web", "/etc/passwd", code=126)
    assert web.run("exec", "-T", "web", "/etc", code=126)


def test_user_directory_and_environment_are_as_asked(web, monkeypatch):
    script = 'echo "$(id -u):$(id -g) $PWD $COLOUR $SIZE $HERE $HOME"'
    line = ("exec", "-T", "-u", "nobody", "-w", "/tmp", "-e", "SIZE=big", "-e", "HERE", "-e", "GONE")
    monkeypatch.setitem(web.environment, "HERE", "there")
    found = web.run(*line, "web", "sh", "-c", script).stdout.split()
    assert found[1:5] == ["/tmp", "red", "big", "there"]
    assert found[0].startswith(web.run("exec", "-T", "web", "id", "-u", "nobody").stdout.strip())
    assert web.run("exec", "-T", "-u", "12:34", "web", "id", "-g").stdout == "34\n"
    nobody = web.run("exec", "-T", "-u", "no-such-user", "web", "true", code=126)
    assert "no-such-user" in nobody.stderr
    assert "Traceback" not in nobody.stderr


def test_a_user_without_rights_may_open_its_own_output_again(web):
    assert web.run("exec", "-T", "-u", "nobody", "web", "sh", "-c", "echo x > /dev/stdout").stdout == "x\n"


def test_privileged_has_what_the_container_has_not(web):
    def held(*options):
        lines = web.run("exec", "-T", *options, "web", "cat", "/proc/self/status").stdout.splitlines()
        return int(next(line for line in lines if line.startswith("CapEff")).split()[1], 16)

    assert held() != held("--privileged")
    assert held() | held("--privileged") == held("--privileged")


def test_replicas_are_chosen_by_number(web):
    def host(*options):
        return web.run("exec", "-T", *options, "web", "hostname").stdout

    assert host() == host("--index", "1") != host("--index", "2")
    assert "is not running container #3" in web.run("exec", "-T", "--index", "3", "web", "true", code=1).stderr


def test_what_does_not_run_is_said_to(web):
    eventually(lambda: web.containers()["once"]["State"] == "exited")
    done = web.run("exec", "-T", "once", "true", code=1)
    assert 'service "once" is not running' in done.stderr
    assert "no such service: nobody" in web.run("exec", "-T", "nobody", "true", code=1).stderr


def test_a_detached_container_runs_on_without_us(web, tmp_path):
    assert web.run("exec", "-d", "web", "sh", "-c", "sleep 0.5; touch /done").stdout == ""
    eventually(lambda: web.run("exec", "-T", "web", "test", "-e", "/done", code=None).returncode == 0)


def test_it_works_while_supervisor_and_fork_server_are_dead(fresh_web):
    for pid in (*find(fresh_web, "fork server"), *find(fresh_web, "supervisor")):
        os.kill(pid, signal.SIGKILL)
    assert fresh_web.run("exec", "-T", "web", "echo", "alive").stdout == "alive\n"


def test_the_lowest_replica_that_runs_is_taken(by_hand):
    for index in (3, 2, 1):
        by_hand.run(by_hand.create("web", index))
    by_hand.exit("s-web-1")
    containers = observe_containers(parse(["-p", "s", "ps"]).context, "s")
    assert choose_container(containers, "web", None).index == 2
    assert choose_container(containers, "web", 3).index == 3
    with pytest.raises(UserError, match='service "web" is not running container #1'):
        choose_container(containers, "web", 1)


HOLDING = """
services:
  web:
    image: "rootfs:/"
    command: [sh, -c, "while :; do kill -STOP -1; done"]
    stop_signal: SIGKILL
"""


@pytest.fixture(scope="module")
def holding(root, write_shared_stack):
    """Its container stops whatever enters it, at once."""
    stack = write_shared_stack(HOLDING, "holding")
    stack.run("up", "-d")
    return stack


def stopped_in(stack) -> list[int]:
    """Processes of the stack's container that stand still."""
    name = stack.folder.name
    state = stack.home / f"run/stacks/{name}/containers/{name}-web-1/state.json"
    first = json.loads(state.read_text())["pid"]
    own = os.readlink(f"/proc/{first}/ns/pid")
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(directory / "ns/pid") == own and process.is_stopped(int(directory.name)):
                found.append(int(directory.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_container_cannot_hold_a_command(holding, number):
    """It is stopped on its way or, when the container is slow, soon after."""
    command = holding.start("exec", "-T", "web", "sleep", "1000", stdin=subprocess.DEVNULL)
    eventually(lambda: stopped_in(holding))
    command.send_signal(number)
    assert command.wait(30) == 128 + number
    eventually(lambda: not stopped_in(holding))  # nor does what was on its way there stay


def test_a_container_cannot_hold_a_terminal(holding):
    for end in (lambda terminal: terminal.type("\3"), lambda terminal: terminal.process.terminate()):
        terminal = Terminal(holding, "web", "sleep", "1000")
        eventually(lambda: stopped_in(holding))
        end(terminal)
        code, restored = terminal.close()
        assert code in (-signal.SIGINT, 130, 143)
        assert restored


def test_a_program_that_is_stopped_later_cannot_hold_a_command(web):
    words = ("web", "sh", "-c", "echo begun; kill -STOP $$")
    terminal = Terminal(web, *words)
    terminal.expect("begun")
    eventually(lambda: stopped_in(web))
    terminal.type("\3")
    assert terminal.close() == (130, True)
    eventually(lambda: not stopped_in(web))
    with pipes(web, *words) as command:
        assert command.stdout.readline() == "begun\n"
        eventually(lambda: stopped_in(web))
        command.send_signal(signal.SIGINT)
        assert command.wait(30) == 130
    eventually(lambda: not stopped_in(web))


def test_the_second_interrupt_ends_what_does_not_listen_to_the_first(web):
    script = "trap 'echo no' INT; echo begun; while :; do sleep 0.05; done"
    with pipes(web, "web", "sh", "-c", script) as command:
        for line in ("begun\n", "no\n"):
            assert command.stdout.readline() == line
            command.send_signal(signal.SIGINT)
        assert command.wait(30) == 130
