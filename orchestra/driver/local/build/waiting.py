"""Waiting for another builder, which the end of this build cuts short."""

from __future__ import annotations

import fcntl
import os
import threading
from typing import TYPE_CHECKING

from orchestra.linux.readiness import first_readable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Interrupted(Exception):
    """The build was cancelled."""


def take_lock(fd: int, kind: int, wait: Callable[[], None], ending: Sequence[int]) -> None:
    """flock(2). wait: called before waiting. Raises Interrupted as soon as one of ``ending`` can be read."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        wait()
        _wait(fd, kind, ending)


def _wait(fd: int, kind: int, ending: Sequence[int]) -> None:
    """In a thread of its own, since nothing but a signal ends flock(2).

    The thread has a duplicate, which shares the lock: if it comes too late, closing that releases it.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    duplicate = os.dup(fd)

    def take() -> None:
        try:
            fcntl.flock(duplicate, kind)
        finally:
            os.close(duplicate)
            os.close(writer)

    threading.Thread(target=take, name="lock", daemon=True).start()
    try:
        if reader not in first_readable([reader, *ending]):
            raise Interrupted
    finally:
        os.close(reader)
