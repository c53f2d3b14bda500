"""Streams that another thread can end, though one waits for what comes next."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2


class Streams:
    """Those that are open now."""

    def __init__(self) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.are_cut = False

    @contextlib.contextmanager
    def holding(self, response: httpx2.Response) -> Iterator[bool]:
        """Whether the stream may be read: not after ``cut``."""
        connection = response.extensions["network_stream"].get_extra_info("socket")
        with self._lock:
            if not self.are_cut:
                self._open.add(connection)
        try:
            yield not self.are_cut
        finally:
            with self._lock:
                self._open.discard(connection)

    def cut(self) -> None:
        """End all, also those that will be opened."""
        with self._lock:
            self.are_cut = True
            for connection in self._open:
                # Not the method of a TLS connection, which another thread uses at this moment.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
