"""``up`` in the foreground shows the logs of what it started, stops it when told, and ends as Docker Compose does."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from orchestra.linux import unix_socket
from orchestra.stacks.attached import AttachOptions, choose_services

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")

JOBS = """
services:
  first:
    image: "rootfs:/"
    command: [sh, -c, "echo one; sleep 0.2; echo two >&2; printf three"]
  second:
    image: "rootfs:/"
    depends_on: {first: {condition: service_completed_successfully}}
    command: [sh, -c, "for i in 1 2 3 4 5 6 7 8 9; do echo line $$i; done; exit 4"]
  silent: {image: "rootfs:/", command: [echo, hush], attach: false}
"""
LASTING = """
services:
  db: {image: "rootfs:/", command: [sh, -c, "trap 'echo db bye; exit 0' TERM; echo db; while :; do sleep 0.05; done"]}
  web:
    image: "rootfs:/"
    depends_on: [db]
    command: [sh, -c, "trap 'echo web bye; exit 3' TERM; echo web; while :; do sleep 0.05; done"]
"""
STUBBORN = """
services:
  web:
    image: "rootfs:/"
    command: [sh, -c, "trap 'echo no' TERM; echo up; while :; do sleep 0.05; done"]
    stop_grace_period: 10m
"""
FAILING = """
services:
  good: {image: "rootfs:/", command: [sh, -c, "echo good; exec sleep 1000"], stop_signal: SIGKILL}
  fine: {image: "rootfs:/", command: [sh, -c, "echo fine"]}
  bad: {image: "rootfs:/", command: [sh, -c, "sleep 0.5; exit 6"]}
"""


class Foreground:
    """An attached ``up``."""

    def __init__(self, stack, *arguments) -> None:
        self.stack = stack
        self.process = stack.start("up", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out: list[str] = []

    def wait_for(self, *lines):
        """In any order: one that has started may say so after one that was started later."""
        while not set(lines) <= set(self.out):
            text = self.process.stdout.readline()
            assert text, f"{lines} were not shown: {self.out} {self.process.stderr.read()}"
            self.out.append(text.rstrip("\n"))

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self):
        """All of standard output, standard error, exit code."""
        try:
            out, err = self.process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"no end within 40 s: {self.process.communicate()}\n{self.stack.trouble()}")
        return [*self.out, *out.splitlines()], err, self.process.returncode


@needs_root
def test_it_shows_everything_in_order_and_ends_when_all_have_ended(write_stack):
    done = write_stack(JOBS).run("up")
    assert done.stdout.splitlines() == [
        "first-1   | one",
        "first-1   | three",
        "first-1 exited with code 0",
        *(f"second-1  | line {number}" for number in range(1, 10)),
        "second-1 exited with code 4",
    ]
    assert "first-1   | two\n" in done.stderr
    assert "Attaching to first-1, second-1\n" in done.stderr
    assert "hush" not in done.stdout + done.stderr


@needs_root
def test_a_second_up_shows_only_what_is_written_from_now_on(write_stack):
    stack = write_stack(JOBS)
    stack.run("up")
    assert stack.run("up").stdout.count("line 1\n") == 1
    assert stack.run("logs", "second").stdout.count("line 1\n") == 2


@needs_root
def test_services_flags_and_time_stamps_choose_what_is_shown(write_stack):
    stack = write_stack(JOBS)
    assert "hush" in stack.run("up", "--attach", "silent").stdout
    assert "line" not in stack.run("up", "--no-attach", "second").stdout
    done = stack.run("up", "--no-log-prefix", "--timestamps", "second")
    assert "| " not in done.stdout
    assert "one" not in done.stdout
    assert done.stdout.splitlines()[0].endswith("Z line 1")
    assert "no such service" in stack.run("up", "--attach", "nobody", code=1).stderr


@needs_root
def test_ctrl_c_stops_in_reverse_order_with_every_last_word_and_keeps_the_containers(write_stack):
    stack = write_stack(LASTING)
    up = Foreground(stack)
    up.wait_for("db-1   | db", "web-1  | web")
    up.interrupt()
    out, err, code = up.end()
    assert code == 130
    assert "Gracefully stopping... (press Ctrl+C again to force)\n" in err
    assert out[-4:] == ["web-1  | web bye", "web-1 exited with code 3", "db-1   | db bye", "db-1 exited with code 0"]
    assert "stack-web-1 Stopped" in err
    assert "stack-db-1 Stopped" in err
    assert {row["State"] for row in stack.containers().values()} == {"exited"}
    again = Foreground(stack)
    again.wait_for("db-1   | db", "web-1  | web")
    again.process.terminate()
    assert again.end()[2] == 130


@needs_root
def test_a_second_ctrl_c_kills(write_stack):
    stack = write_stack(STUBBORN)
    up = Foreground(stack)
    up.wait_for("web-1  | up")
    up.interrupt()
    up.wait_for("web-1  | no")
    up.interrupt()
    out, err, code = up.end()
    assert code == 130
    assert out[-1] == "web-1 exited with code 137"
    assert "Error" not in err
    assert stack.containers()["web"]["ExitCode"] == 137


@needs_root
def test_the_time_to_stop_may_be_given(write_stack):
    up = Foreground(write_stack(STUBBORN), "-t", "1")
    up.wait_for("web-1  | up")
    up.interrupt()
    assert up.end()[2] == 130


@needs_root
@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--abort-on-container-failure"], 6),
        (["--exit-code-from", "bad", "--no-attach", "fine", "bad", "good"], 6),
        (["--exit-code-from", "good", "good", "bad"], 137),
        (["--abort-on-container-exit", "fine", "good"], 0),
        (["--abort-on-container-exit", "bad", "good"], 6),
    ],
)
def test_the_end_of_one_may_be_the_end_of_all(write_stack, options, code):
    stack = write_stack(FAILING)
    done = stack.run("up", *options, code=code)
    assert "Aborting on container exit..." in done.stderr
    assert stack.containers()["good"]["State"] == "exited"


@needs_root
def test_failures_do_not_matter_unless_asked(write_stack):
    assert write_stack(FAILING).run("up", "bad", "fine").returncode == 0


@needs_root
def test_what_cannot_start_is_said_and_ends_it(write_stack):
    stack = write_stack(JOBS.replace("printf three", "exit 1"))
    done = stack.run("up", code=1)
    assert "first-1   | one" in done.stdout
    assert "didn't complete successfully" in done.stderr
    assert "Traceback" not in done.stderr


@needs_root
def test_going_down_elsewhere_ends_it(write_stack):
    stack = write_stack(LASTING)
    up = Foreground(stack)
    up.wait_for("db-1   | db", "web-1  | web")
    stack.run("down")
    out, _err, code = up.end()
    assert code == 0
    assert "db-1   | db bye" in out


@needs_root
def test_the_supervisor_may_be_killed_meanwhile(write_stack):
    stack = write_stack(LASTING)
    up = Foreground(stack)
    up.wait_for("db-1   | db", "web-1  | web")
    with unix_socket.connect(f"{stack.home}/run/stacks/stack/control.sock") as connection:
        greeting = json.loads(connection.makefile().readline())
    os.kill(greeting["supervisor"], signal.SIGKILL)
    stack.run("exec", "-T", "web", "sh", "-c", "echo hello > /proc/1/fd/1")
    up.wait_for("web-1  | hello")
    up.interrupt()
    out, err, code = up.end()
    assert code == 130, err
    assert out[-1] == "db-1 exited with code 0"


SPECS = [{"service": "a"}, {"service": "b"}, {"service": "c", "attach": False}]


@pytest.mark.parametrize(
    ("named", "options", "selected", "chosen"),
    [
        ((), {}, (), {"a", "b"}),
        (("a",), {}, ("a", "b"), {"a"}),
        (("a",), {"attach_dependencies": True}, ("a", "b"), {"a", "b"}),
        ((), {"attach": ("c",)}, (), {"c"}),
        ((), {"no_attach": ("a",)}, (), {"b"}),
        (("c",), {}, ("c",), set()),
    ],
)
def test_whose_logs_are_shown(named, options, selected, chosen):
    assert choose_services(AttachOptions(**options), named, selected, SPECS) == chosen
