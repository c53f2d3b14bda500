"""What is done to a running stack: each blow is a function of the stack and a source of chance."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra.linux.process import identify, send_signal
from tests.examples.test_killed_in_the_middle import find

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.examples.conftest import Stack

PIECE = b"\0" * (1 << 20)


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(OSError):  # it has ended by itself
            send_signal(identify(pid), signal.SIGKILL)


def _process(victim: str) -> Callable[[Stack, Random], None]:
    def blow(stack: Stack, _chance: Random) -> None:
        kill(find(stack, victim))

    return blow


def kill_container(stack: Stack, chance: Random) -> None:
    found = sorted((stack.home / "run/stacks").glob("*/containers/*/state.json"))
    with suppress(OSError, ValueError):  # it is just being made
        kill([json.loads(chance.choice(found).read_text())["pid"]])


def interfaces(kind: str) -> list[str]:
    listed = subprocess.run(["ip", "-o", "link", "show", "type", kind], capture_output=True, text=True, check=True)
    return [line.split()[1].partition("@")[0].rstrip(":") for line in listed.stdout.splitlines()]


def _interface(kind: str) -> Callable[[Stack, Random], None]:
    def blow(_stack: Stack, chance: Random) -> None:
        if found := interfaces(kind):
            subprocess.run(["ip", "link", "del", chance.choice(found)], capture_output=True, check=False)

    return blow


def flush_rules(_stack: Stack, _chance: Random) -> None:
    subprocess.run(["nft", "flush", "ruleset"], check=True)


def fill_the_disk(stack: Stack, _chance: Random) -> None:
    """Something is asked for meanwhile. Then there is room again."""
    filler = stack.home / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(PIECE) == len(PIECE):
                pass
        stack.run("restart", "-t", "0", "web", code=None, seconds=120)
    finally:
        filler.unlink()


def _change(victim: str) -> Callable[[Stack, Random], None]:
    """Everything is made anew, and in the middle of it that process is killed: after any line of progress."""

    def blow(stack: Stack, chance: Random) -> None:
        stack.environment["VERSION"] = str(chance.random())
        moment = chance.randint(1, 16)
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with stack.start("--progress", "plain", "up", "-d", "-t", "0", **pipe) as command:
            for number, _line in enumerate(command.stdout, 1):
                if number == moment:
                    kill([command.pid] if victim == "command" else find(stack, victim))
            command.wait(120)
        if victim == "command":
            stack.run("up", "-d", "-t", "0", seconds=120)

    return blow


BLOWS: dict[str, Callable[[Stack, Random], None]] = {
    "supervisor": _process("supervisor"),
    "fork server": _process("fork server"),
    "shims": _process("shims"),
    "zygote": _process("zygote"),
    "resolver": _process("resolver"),
    "container": kill_container,
    "interface": _interface("veth"),
    "bridge": _interface("bridge"),
    "rules": flush_rules,
    "full disk": fill_the_disk,
    "command in a change": _change("command"),
    "supervisor in a change": _change("supervisor"),
    "fork server in a change": _change("fork server"),
}


def mounts_below(path: Path) -> list[str]:
    """Mount points, proc(5)."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [point for point in (line.split()[4] for line in lines) if point.startswith(f"{path}{os.sep}")]
