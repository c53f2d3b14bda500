"""What a stack costs in counts, which do not depend on how fast or busy the machine is.

A change that makes something cheaper lowers the limit; a limit is a tenth more than what was counted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter

import pytest

from tests.examples.conftest import eventually, needs_containers

pytestmark = [
    *needs_containers,
    pytest.mark.skipif(shutil.which("strace") is None, reason="counts system calls with strace"),
    pytest.mark.timeout(300),
]

MANY = 6
UNSTEADY = "!futex,epoll_wait,getpid,restart_syscall,gettid"
"""How often these are called depends on how threads meet; event loops of Python 3.11 call getpid in every step."""

LINE = re.compile(r"\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed>)")
FORKS = {"fork", "vfork", "clone", "clone3"}
SYNCS = {"fsync", "fdatasync", "syncfs", "sync"}
WRITES = {"write", "pwrite64", "writev"}

ONE = {"calls": 13_450, "modules": 606, "processes": 11, "programs": 6, "syncs": 13, "bytes": 37_200}
"""Of ``up -d`` of a stack with one container whose file is remembered, and ``down``: of all processes."""
EACH = {"calls": 1_610, "modules": 0, "processes": 1, "programs": 1, "syncs": 3.6, "bytes": 27_400}
"""Of each further container of the same stack."""
COMMANDS = {
    ("ps",): {"calls": 2_220, "modules": 107},
    ("exec", "-T", "s0", "true"): {"calls": 2_640, "modules": 130},
    ("up", "-d"): {"calls": 2_110, "modules": 105},
}
"""Of commands alone, on that stack while it runs."""


def compose(count):
    service = '  s{}: {{image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL}}\n'
    return "services:\n" + "".join(service.format(number) for number in range(count))


def begin(stack, trace, *arguments):
    command = [sys.executable, "-P", "-m", "orchestra", "-f", str(stack.file), *arguments]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    environment = {name: value for name, value in stack.environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # strace goes on for as long as a process of the stack lives: the file tells that the command has ended.
    told = ["sh", "-c", '"$@" && : > "$0"', str(trace.with_suffix(".done"))]
    line = ["strace", "-f", "-o", str(trace), "-e", f"trace={UNSTEADY}", *told, *command]
    return subprocess.Popen(line, env=environment, **streams)


def end(strace):
    """strace ends with the last of the processes that it follows."""
    try:
        _out, said = strace.communicate(timeout=90)
    finally:
        strace.kill()
    assert strace.returncode == 0, said.decode()


def live(stack, trace):
    with begin(stack, trace, "up", "-d") as strace:
        try:
            eventually(trace.with_suffix(".done").exists, seconds=90)
            stack.run("down", seconds=90)
        finally:
            end(strace)
    return counts(trace)


def counts(trace):
    found = Counter()
    for line in trace.read_text(errors="replace").splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        call, is_whole = match[1], "unfinished ..." not in line
        has_begun = "resumed>" not in line
        found["calls"] += has_begun
        if call in FORKS and has_begun:
            found["processes"] += "CLONE_THREAD" not in line
        elif call == "execve" and is_whole:
            found["programs"] += line.endswith("= 0")
        elif call == "openat" and has_begun:
            found["modules"] += '.pyc"' in line and "ENOENT" not in line
        elif call in SYNCS and has_begun:
            found["syncs"] += 1
        elif call in WRITES and is_whole and (written := re.search(r"= (\d+)$", line)):
            found["bytes"] += int(written[1])
    return found


def assert_within(found, limits, what):
    over = {name: f"{found[name]} > {limit}" for name, limit in limits.items() if found[name] > limit}
    assert not over, f"{what} costs more than before: {over}; all of it: {dict(found)}"


def test_a_stack_costs_no_more_than_it_did(write_stack, tmp_path):
    stack = write_stack(compose(1))
    live(stack, tmp_path / "first.trace")  # compiles modules, and lets the load be remembered
    one = live(stack, tmp_path / "one.trace")
    many = write_stack(compose(MANY), name="many")
    many.run("plan", code=2)  # the load is remembered
    several = live(many, tmp_path / "many.trace")
    each = Counter({name: (several[name] - one[name]) / (MANY - 1) for name in one})
    assert_within(one, ONE, "a stack of one container")
    assert_within(each, EACH, "each further container")


def test_commands_cost_no_more_than_they_did(write_stack, tmp_path):
    stack = write_stack(compose(1))
    stack.run("up", "-d")
    for words, limits in COMMANDS.items():
        for trace in (tmp_path / "first.trace", tmp_path / "command.trace"):
            with begin(stack, trace, *words) as strace:
                end(strace)
        assert_within(counts(tmp_path / "command.trace"), limits, " ".join(words))
