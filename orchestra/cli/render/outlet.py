"""A standard stream that can be written to while signals are handled: a stalled reader must not block Ctrl-C."""

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
"""Bytes that a pipe or terminal that polls as writable accepts without blocking (PIPE_BUF, pipe(7))."""
MOST = 1 << 20
HURRY = 100
"""Milliseconds: an active reader makes room sooner."""


class Outlet:
    """signals: readable when a signal has arrived, which ends the wait for the reader.

    hurries: do not wait for a stalled reader from now on. Unread output beyond ``MOST`` bytes is dropped.
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
        """Write all output, unless a signal arrives. Raises OSError if it cannot be written."""
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
