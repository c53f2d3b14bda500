"""Taking processes over into the control group of this one: cgroups(7), "Version 2"."""

from __future__ import annotations

from contextlib import suppress

from orchestra.linux import process
from orchestra.linux.cgroup import machine_hierarchy


def take_over(ancestor: int) -> int:
    """Move a process, and those of its descendants that share its group, into our group. Returns how many were moved.

    Raises OSError if that is not permitted.
    """
    root = machine_hierarchy().v2
    ours, theirs = group_of("self"), group_of(ancestor)
    if not root or not ours or not theirs or ours == theirs:
        return 0
    moved = 0
    # Those that are forked meanwhile are seen the next time.
    while pids := [pid for pid in _members(f"{root}{theirs}") if _descends(pid, ancestor)]:
        for pid in pids:
            with suppress(ProcessLookupError), open(f"{root}{ours}/cgroup.procs", "w") as file:
                file.write(str(pid))
        moved += len(pids)
    return moved


def group_of(pid: int | str) -> str:
    """The path of its group below the root of version 2; empty if it has none there."""
    try:
        with open(f"/proc/{pid}/cgroup") as file:
            return next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), "")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _members(directory: str) -> list[int]:
    try:
        with open(f"{directory}/cgroup.procs") as file:
            return [int(line) for line in file]
    except FileNotFoundError:
        return []


def _descends(pid: int, ancestor: int) -> bool:
    with suppress(ProcessLookupError, FileNotFoundError):
        while pid > 1:
            if pid == ancestor:
                return True
            pid = process.parent(pid)
    return False
