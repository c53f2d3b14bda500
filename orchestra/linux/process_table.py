"""What ps(1) shows of processes, read from /proc (proc_pid_stat(5), proc_pid_status(5), proc_pid_cmdline(5))."""

from __future__ import annotations

import os

from orchestra.linux.process import booted_at, load_stat
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PTS_MAJORS = range(136, 144)
CONSOLE, VIRTUAL = 5, 4
VIRTUAL_TERMINALS = 64
"""Higher minor numbers of that major number are serial lines."""


class ProcessRow(NamedTuple):
    """started_at: Unix seconds. processor: seconds of processor time. terminal: below /dev, or empty.

    command: the arguments; if there are none, as for an ended process, its name in brackets.
    """

    pid: int
    parent: int
    uid: int
    started_at: float
    processor: float
    terminal: str
    command: str


def load_processes(pids: Iterable[int]) -> list[ProcessRow]:
    """In the order of ``pids``, without those that have ended meanwhile."""
    ticks = os.sysconf("SC_CLK_TCK")
    booted = booted_at()
    found = []
    for pid in pids:
        try:
            found.append(_load(pid, ticks, booted))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _load(pid: int, ticks: int, booted: float) -> ProcessRow:
    name, fields = load_stat(pid)
    with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="surrogateescape") as file:
        command = file.read().rstrip("\0").replace("\0", " ")
    return ProcessRow(
        pid=pid,
        parent=int(fields[1]),
        uid=_effective_user(pid),
        started_at=booted + int(fields[19]) / ticks,
        processor=(int(fields[11]) + int(fields[12])) / ticks,
        terminal=_terminal(int(fields[4])),
        command=command or f"[{os.fsdecode(name)}]",
    )


def _effective_user(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="surrogateescape") as file:
        return next(int(line.split()[2]) for line in file if line.startswith("Uid:"))


def _terminal(device: int) -> str:
    """device: as in the field tty_nr, see proc_pid_stat(5)."""
    major, minor = os.major(device), os.minor(device)
    if major in PTS_MAJORS:
        return f"pts/{(major - PTS_MAJORS.start) * 256 + minor}"
    if major == VIRTUAL:
        return f"tty{minor}" if minor < VIRTUAL_TERMINALS else f"ttyS{minor - VIRTUAL_TERMINALS}"
    return "console" if (major, minor) == (CONSOLE, 1) else ""
