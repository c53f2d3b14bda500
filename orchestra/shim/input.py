"""The standard input of a container, or what is typed at its terminal: written as fast as the program takes it."""

from __future__ import annotations

import os
import selectors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CLOSED = -1


class Input:
    """has_room: called with whether more may be written, whenever that changes."""

    def __init__(self, selector: selectors.BaseSelector, has_room: Callable[[bool], None]) -> None:
        self._selector = selector
        self._has_room = has_room
        self._fd = CLOSED
        self._waiting = bytearray()
        self._ends = False
        self._has_reader = False

    def open(self, fd: int) -> None:
        """fd: does not block, and is ours from now on."""
        self._fd = fd

    def write(self, data: bytes) -> None:
        """Without an open input, it is dropped."""
        if self._fd == CLOSED or self._ends:
            return
        if self._waiting:
            self._waiting += data
            return
        self._waiting += data
        self._flush()
        if self._waiting:
            self._selector.register(self._fd, selectors.EVENT_WRITE, self._go_on)
            self._has_room(False)

    def reader_is_there(self) -> None:
        """The container has the other end open: until then a FIFO that is closed loses what was written to it."""
        self._has_reader = True
        self._close_at_end()

    def end(self) -> None:
        """Close it, once everything has been written."""
        self._ends = True
        self._close_at_end()

    def _close_at_end(self) -> None:
        if self._ends and self._has_reader and not self._waiting:
            self.close()

    def close(self) -> None:
        if self._fd == CLOSED:
            return
        if self._waiting:
            self._selector.unregister(self._fd)
            self._waiting.clear()
        os.close(self._fd)
        self._fd = CLOSED

    def _go_on(self) -> None:
        self._flush()
        if self._waiting:
            return
        self._selector.unregister(self._fd)
        self._has_room(True)
        self._close_at_end()

    def _flush(self) -> None:
        """As much as there is room for. If the other end is closed, the rest is dropped."""
        try:
            while self._waiting:
                del self._waiting[: os.write(self._fd, self._waiting)]
        except BlockingIOError:
            return
        except OSError:
            self._waiting.clear()
