"""A standard stream that is written to while signals are heard: a reader that stands still must not hold Ctrl-C up."""

from __future__ import annotations

import os
import select
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Readable(Protocol):
        def fileno(self) -> int: ...


CHUNK = 1 << 16
SMALL = 4096
"""What a pipe or terminal that polls as writable takes without making us wait (PIPE_BUF, pipe(7))."""
MOST = 1 << 20
HURRY = 100
"""Milliseconds: a reader that is at work makes room sooner."""


class Outlet:
    """signals: readable when one has come, which ends the wait for the reader.

    hurries: a reader that stands still is not waited for now. What it leaves behind is dropped past ``MOST`` bytes.
    """

    def __init__(self, fd: int, signals: Readable) -> None:
        self.hurries = False
        self._stands_still = False
        self._fd = fd
        self._piece = CHUNK if stat.S_ISREG(os.fstat(fd).st_mode) else SMALL
        self._signals = signals
        self._room, self._news = select.poll(), select.poll()
        self._room.register(fd, select.POLLOUT)
        self._news.register(fd, select.POLLOUT)
        self._news.register(signals, select.POLLIN)
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        self._data += data
        if len(self._data) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """All of it, unless a signal has come. OSError when it cannot be written."""
        written = 0
        try:
            with memoryview(self._data) as view:
                while written < len(view) and self._has_room():
                    written += os.write(self._fd, view[written : written + self._piece])
        finally:
            del self._data[:written]
        if self.hurries and len(self._data) > MOST:
            self._data.clear()

    def _has_room(self) -> bool:
        if self.hurries:
            self._stands_still = not self._room.poll(0 if self._stands_still else HURRY)
            return not self._stands_still
        ready = {fd for fd, _events in self._news.poll()}
        return self._signals.fileno() not in ready
