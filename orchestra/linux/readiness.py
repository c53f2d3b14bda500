"""Waiting until something can be read: poll(2), which unlike select(2) takes every descriptor."""

from __future__ import annotations

import select


def readable(fd: int, seconds: float | None = None) -> bool:
    """Whether data or the end of file arrives within that time; None waits without a limit."""
    return bool(first_readable([fd], seconds))


def first_readable(fds: list[int], seconds: float | None = None) -> list[int]:
    """Those that can be read, or are at their end, as soon as there are any; none if the time is up."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _events in poll.poll(None if seconds is None else max(0.0, seconds) * 1000)]
