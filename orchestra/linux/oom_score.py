"""Whom the kernel kills first when memory runs out (proc_pid_oom_score_adj(5)): not who looks after containers."""

from __future__ import annotations

import os

PATH = "/proc/self/oom_score_adj"
LAST = b"-999"
"""Killed after everything else; at -1000 the kernel would rather give up."""

_given: bytes | None = None  # None: it has not been lowered


def lower() -> None:
    """Be among the last, with all that is forked from here on. Without CAP_SYS_RESOURCE nothing happens."""
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
    """For programs: the score that the process which called ``lower`` was given."""
    if _given is not None:
        fd = os.open(PATH, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, _given)
        finally:
            os.close(fd)


def be_ordinary() -> None:
    """For a helper of a process that is among the last: be one like any other."""
    with open(PATH, "r+b", buffering=0) as file:
        if file.read().strip() == LAST:
            file.write(b"0")
