"""Hundreds of containers one after the other: what each of them left would add up."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from orchestra.shim import client
from tests.shim.conftest import eventually
from tests.shim.test_namespaces import isolated

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(300)]

CYCLES = 250
FEW = 100
"""Where each takes much longer, or goes the same way up to its end."""
SECONDS = 120
WARM = 20  # the first ones fill caches of the interpreter
MEMORY = 512  # KiB that a process may grow by: two for each cycle


def memory(pid):
    """Private memory in KiB (proc_pid_smaps(5))."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kib) for kib in re.findall(r"Private_(?:Clean|Dirty): +(\d+)", text))


def shims(stack):
    """The process that most containers of a stack have their shims in, once there was one, and no other."""
    return [pid for pid in stack.children() if name_of(pid) == "orchestra-shim"]


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def memories(stack):
    return [memory(pid) for pid in (stack.fork_server.pid, *shims(stack))]


def descriptors(pid):
    """How many; of a process that has just ended, none."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except FileNotFoundError:
        return 0


def census(stack):
    """Descriptors of fork server and shims, children; mounts and groups of its stack."""
    pid = stack.fork_server.pid
    mounts = Path(f"/proc/{pid}/mounts").read_text().splitlines()
    return {
        "descriptors": sum(map(descriptors, (pid, *shims(stack)))),
        "children": len(stack.children(pid)),
        "mounts": sum(str(stack.path) in line for line in mounts),
        "groups": len(stack.groups()),
    }


def comes_back(stack, first):
    """To no more than there was: the last one's processes may still be about to be reaped."""
    eventually(lambda: all(count <= first[name] for name, count in census(stack).items()))


@pytest.mark.parametrize("kind", ["plain", "isolated"])
def test_hundreds_of_containers_leave_nothing(stack, kind):
    container = stack.container("true") if kind == "plain" else isolated(stack, "true")
    kept, cycles = (1, CYCLES) if kind == "plain" else (0, FEW)
    end = time.monotonic() + SECONDS
    first, before, done = None, [], 0
    for number in range(cycles):
        container.run()
        assert container.wait().exit_code == 0
        assert container.leftovers() == []
        done += 1
        if number == WARM:
            eventually(lambda: len(shims(stack)) == kept)
            first, before = census(stack), memories(stack)
        if number > WARM and time.monotonic() > end:
            break
    comes_back(stack, first)
    for now, then in zip(memories(stack), before, strict=True):
        assert now - then < MEMORY, f"after {done} containers"
    assert done > WARM * 2, "too slow to say anything"


def test_hundreds_of_executions_leave_nothing(stack):
    container = stack.container("sleep", "600")
    container.run()
    pid = stack.fork_server.pid
    end = time.monotonic() + SECONDS / 2
    for number in range(CYCLES):
        with container.execute("true") as execution:
            assert execution.wait() == 0
        if number == WARM:
            eventually(lambda: len(stack.children(pid)) == 2)
            first, before = census(stack), memory(pid)
        if number > WARM and time.monotonic() > end:
            break
    comes_back(stack, first)
    assert memory(pid) - before < MEMORY


def test_a_hundred_failures_leave_nothing(stack):
    container = stack.container("nothing-of-this-name")
    end = time.monotonic() + SECONDS / 2
    for number in range(FEW):
        with pytest.raises(OSError, match="no such program"):
            container.run()
        assert container.leftovers() == []
        if number == WARM:
            first, before = census(stack), memories(stack)
        if number > WARM and time.monotonic() > end:
            break
    comes_back(stack, first)
    for now, then in zip(memories(stack), before, strict=True):
        assert now - then < MEMORY
    assert client.state(container.directory).pid == 0
