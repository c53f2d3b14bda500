"""A forked command is as an executed one: to who waits for it, and to who looks at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm
from tests.shim.conftest import eventually

EXECUTED = [sys.executable, "-m", "orchestra"]
READS = ["-f", "-", "config"]
"""Waits for its standard input."""
LIBC = ~(1 << 31 | 1 << 32)
"""Without the signals that are its own: it handles one of them where there has been a thread."""


@pytest.mark.parametrize(
    "arguments", [["--version"], ["-f", "missing.yaml", "config"], ["up", "--nothing"], ["ps", "--help"]], ids=" ".join
)
def test_it_says_the_same(arguments, tmp_path):
    environment = os.environ | {"ORCHESTRA_HOME": str(tmp_path)}
    options = {"cwd": tmp_path, "env": environment}
    forked = warm.run(arguments, **options)
    executed = subprocess.run([*EXECUTED, *arguments], **options, capture_output=True, text=True, check=False)
    assert (forked.stdout, forked.stderr, forked.returncode) == (executed.stdout, executed.stderr, executed.returncode)


@pytest.fixture
def both(tmp_path):
    """One of either kind, as they wait."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    options = {"cwd": tmp_path, "env": os.environ | {"A": "1"}, "start_new_session": True}
    with (
        warm.popen(READS, **pipes, **options) as forked,
        subprocess.Popen([*EXECUTED, *READS], **pipes, **options) as executed,
    ):
        eventually(lambda: all(waits(process.pid) for process in (forked, executed)))
        yield forked, executed
        for process in (forked, executed):
            process.kill()


def waits(pid: int) -> bool:
    """For its input: read(2) of descriptor 0."""
    return Path(f"/proc/{pid}/syscall").read_text().split()[:2] == ["0", "0x0"]


def seen(pid: int) -> dict[str, object]:
    directory = Path("/proc", str(pid))
    status = dict(line.split(":\t", 1) for line in (directory / "status").read_text().splitlines())
    return {
        "command": (directory / "cmdline").read_bytes().rstrip(b"\0"),
        "environment": set((directory / "environ").read_bytes().rstrip(b"\0").split(b"\0")),
        "directory": os.readlink(directory / "cwd"),
        "network": os.readlink(directory / "ns/net"),
        "descriptors": sorted(os.listdir(directory / "fd")),
        "session": os.getsid(pid) == pid,
        "signals": [int(status[name], 16) & LIBC for name in ("SigBlk", "SigIgn", "SigCgt")],
        **{name: status[name] for name in ("Uid", "Umask")},
    }


def test_it_looks_the_same(both):
    forked, executed = (seen(process.pid) for process in both)
    assert forked == executed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_ends_the_same(both, number):
    for process in both:
        process.send_signal(number)
    forked, executed = ((*process.communicate(timeout=30), process.returncode) for process in both)
    assert forked == executed
    assert both[0].poll() == both[0].wait() == both[0].returncode
