"""Stopping every process of a control group at once, and resuming them.

Version 1 has a controller for it (freezer-subsystem), version 2 a file of every group (cgroup-v2, "cgroup.freeze").
"""

from __future__ import annotations

import os
import time
from errno import EBUSY, ENOTSUP

from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.linux.cgroup import Cgroup

SECONDS = 5.0


def freeze(group: Cgroup) -> None:
    """Returns once all of them are frozen."""
    _set(group, frozen=True)


def thaw(group: Cgroup) -> None:
    """A group that has gone meanwhile, as its processes were killed before, is not frozen any more."""
    try:
        _set(group, frozen=False)
    except OSError:
        directory = group.directory("freezer")
        if not directory or os.path.isdir(directory):
            raise


def is_frozen(group: Cgroup) -> bool:
    """False also for a group that is gone or was never in a freezer."""
    try:
        return _load(_directory(group))
    except OSError:
        return False


def _directory(group: Cgroup) -> str:
    directory = group.directory("freezer")
    if not directory or not os.path.isdir(directory):
        raise SystemCallError(ENOTSUP, "freeze", directory, "the container is in no group that can be frozen")
    return directory


def _load(directory: str) -> bool:
    try:
        with open(f"{directory}/freezer.state") as file:
            return file.read().strip() == "FROZEN"
    except FileNotFoundError:
        with open(f"{directory}/cgroup.events") as file:
            return "frozen 1" in file.read().splitlines()


def _set(group: Cgroup, *, frozen: bool) -> None:
    directory = _directory(group)
    file, value = f"{directory}/freezer.state", "FROZEN" if frozen else "THAWED"
    if not os.path.exists(file):
        file, value = f"{directory}/cgroup.freeze", str(int(frozen))
    deadline = time.monotonic() + SECONDS
    while True:
        # Version 1 gives up on processes that are just forking, until it is written again.
        with open(file, "w") as target:
            target.write(value)
        if _load(directory) == frozen:
            return
        if time.monotonic() > deadline:
            raise SystemCallError(EBUSY, f"write {value} to", file, "a process cannot be interrupted right now")
        time.sleep(0.001)
