"""Which process the kernel kills first when memory runs out (proc_pid_oom_score_adj(5)): none of Orchestra's own."""

from __future__ import annotations

import os

PATH = "/proc/self/oom_score_adj"
LAST = b"-999"
"""Killed after everything else. With -1000 the kernel would never kill it."""

_given: bytes | None = None  # None: the score has not been lowered


def lower() -> None:
    """Be among the last to be killed, including later children. Does nothing without CAP_SYS_RESOURCE."""
    global _given
    try:
        fd = os.open(PATH, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        given = os.read(fd, 16)
        os.write(fd, LAST)
        _given = given
    except PermissionError:
        return
    finally:
        os.close(fd)


def restore() -> None:
    """For programs: restore the score that the process had before ``lower``."""
    if _given is not None:
        fd = os.open(PATH, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, _given)
        finally:
            os.close(fd)


def be_ordinary() -> None:
    """For a helper of such a process: be killed like any other process."""
    with open(PATH, "r+b", buffering=0) as file:
        if file.read().strip() == LAST:
            file.write(b"0")
