"""``logs -f`` and ``up`` in the foreground miss nothing: rotations, replacements, a reader that stands still."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess

import pytest

from tests.examples.conftest import eventually

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(120),
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
]

ROTATING = """
services:
  fast:
    image: "rootfs:/"
    command: [sh, -c, "{command}"]
    logging: {{driver: json-file, options: {{max-size: 50k, max-file: "3"}}}}
"""
WAITING = ROTATING + "    volumes: [./go:/go]\n"
COUNTING = "i=0; while [ $$i -lt 20000 ]; do echo line $$i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; i=$$((i+1)); done"
TICKING = """
services:
  a:
    image: "rootfs:/"
    command: [sh, -c, 'i=0; while [ $$i -lt 40 ]; do echo tick $$V $$i; i=$$((i+1)); sleep 0.02; done; exec sleep 1000']
    environment: {V: "${V:-1}"}
    stop_grace_period: 0s
  b:
    image: "rootfs:/"
    command: [sh, -c, 'echo b begins; exec sleep 1000']
    stop_grace_period: 0s
    profiles: [more]
"""


class Following:
    """A command that shows logs, and what it has shown so far."""

    def __init__(self, stack, path, *arguments) -> None:
        self.path = path / "shown"
        with open(self.path, "wb") as out, open(path / "said", "wb") as err:
            self.process = stack.start(*arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def lines(self):
        return self.path.read_text().splitlines()

    def texts(self):
        return [line.partition(" | ")[2] for line in self.lines() if " | " in line]

    def until(self, text):
        eventually(lambda: text in self.texts() or self.process.poll() is not None, 40)
        assert text in self.texts()

    def end(self):
        return self.process.wait(40)


@pytest.fixture
def follow(tmp_path):
    """Begin to follow; what has not ended by the end of the test is killed."""
    begun = []

    def follow(stack, *arguments):
        begun.append(Following(stack, tmp_path, *arguments))
        return begun[-1]

    yield follow
    for following in begun:
        following.process.kill()
        following.process.wait()


def test_attached_up_rotation(write_stack, follow):
    up = follow(write_stack(ROTATING.format(command=COUNTING)), "up", "--no-color")
    assert up.end() == 0
    assert [text.split()[1] for text in up.texts()] == [str(number) for number in range(20000)]
    assert "lost" not in up.path.read_text()


def test_following_logs_shows_every_line_of_a_log_that_is_rotated_quickly(write_stack, follow):
    stack = write_stack(WAITING.format(command="read x < /go; " + COUNTING))
    os.mkfifo(stack.file.parent / "go")
    stack.run("up", "-d")
    logs = follow(stack, "logs", "-f")
    eventually(lambda: os.listdir(stack.home / "run/stacks/stack/followers"))
    (stack.file.parent / "go").write_text("\n")
    assert logs.end() == 0
    assert [text.split()[1] for text in logs.texts()] == [str(number) for number in range(20000)]


def test_a_stopped_foreground_blocks_no_container_and_reports_lost_lines(write_stack, follow):
    """As a terminal does after Ctrl-S. The log is longer than what is held for a follower."""
    count = 20_000
    command = "echo begun; read x < /go; seq -f %.0f{} 1 {}".format("x" * 4000, count)
    stack = write_stack(WAITING.format(command=command))
    os.mkfifo(stack.file.parent / "go")
    up = follow(stack, "up", "--no-color")
    up.until("begun")
    up.process.send_signal(signal.SIGSTOP)
    (stack.file.parent / "go").write_text("\n")
    eventually(lambda: stack.containers()["fast"]["State"] == "exited", 60)
    up.process.send_signal(signal.SIGCONT)
    assert up.end() == 0
    shown = [int(text.rstrip("x")) for text in up.texts() if text != "begun"]
    lost = [int(match[1]) for match in re.finditer(r"fast-1 lost (\d+) lines? here", up.path.read_text())]
    assert shown == sorted(set(shown))
    assert shown[-1] == count
    assert len(shown) + sum(lost) == count
    assert lost


def test_a_log_that_never_ends_is_shown_up_to_now(write_stack):
    stack = write_stack(ROTATING.format(command="yes"))
    stack.run("up", "-d")
    eventually(lambda: stack.run("logs", "-n", "1").stdout)
    assert stack.run("logs").stdout.endswith("fast-1  | y\n")


def test_logs_follow_replaced(write_stack, follow):
    stack = write_stack(TICKING)
    stack.run("up", "-d")
    logs = follow(stack, "logs", "-f")
    logs.until("tick 1 5")
    for number in ("2", "3"):
        stack.environment["V"] = number
        stack.run("up", "-d")
        logs.until(f"tick {number} 39")
    assert [text for text in logs.texts() if not text.startswith("tick 1")] == [
        f"tick {number} {i}" for number in (2, 3) for i in range(40)
    ]
    for number in ("4", "5", "6"):  # one after the other, without a look in between
        stack.environment["V"] = number
        stack.run("up", "-d")
    logs.until("tick 6 39")
    assert [text for text in logs.texts() if text.startswith("tick 6")] == [f"tick 6 {i}" for i in range(40)]
    for number in (4, 5):
        ticks = [text for text in logs.texts() if text.startswith(f"tick {number}")]
        assert ticks == [f"tick {number} {i}" for i in range(len(ticks))]
    assert logs.process.poll() is None
    stack.run("down")
    assert logs.end() == 0


def test_following_logs_takes_up_what_is_created_and_scaled_meanwhile(write_stack, follow):
    stack = write_stack(TICKING)
    stack.run("up", "-d")
    logs = follow(stack, "logs", "-f")
    logs.until("tick 1 39")
    stack.run("--profile", "more", "up", "-d")
    logs.until("b begins")
    stack.run("--profile", "more", "up", "-d", "--scale", "a=3")
    eventually(lambda: sum("tick 1 39" in line for line in logs.lines()) == 3)
    stack.run("--profile", "more", "up", "-d", "--scale", "a=1")
    stack.environment["V"] = "2"
    stack.run("--profile", "more", "up", "-d")
    logs.until("tick 2 39")
    stack.run("--profile", "more", "down")
    assert logs.end() == 0


def test_the_foreground_shows_a_container_that_another_command_replaces(write_stack, follow):
    stack = write_stack(TICKING)
    up = follow(stack, "up", "--no-color")
    up.until("tick 1 5")
    stack.environment["V"] = "2"
    stack.run("up", "-d")
    up.until("tick 2 39")
    assert [text for text in up.texts() if text.startswith("tick 2")] == [f"tick 2 {i}" for i in range(40)]
    up.process.send_signal(signal.SIGINT)
    assert up.end() == 130


def test_a_foreground_with_a_stopped_reader_ends_on_a_signal(write_stack):
    """As ``up | less`` after Ctrl-C: the pipe is full and stays so."""
    stack = write_stack(ROTATING.format(command="yes") + "    stop_signal: SIGKILL\n")
    up = stack.start("up", "--no-color", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert up.stdout.read(1) == "f"
        eventually(lambda: is_full(up.stdout))
        up.send_signal(signal.SIGTERM)
        assert up.wait(40) == 130
        assert stack.containers()["fast"]["State"] == "exited"
    finally:
        up.kill()
        up.wait()
        up.stdout.close()


def is_full(pipe):
    """Whether a writer must wait. A pipe is full when its pages are used, however few bytes they hold."""
    end = os.open(f"/proc/self/fd/{pipe.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        return not select.select([], [end], [], 0)[1]
    finally:
        os.close(end)
