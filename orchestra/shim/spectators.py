"""The clients attached to a container: they see its output as it comes, and send its standard input."""

from __future__ import annotations

import os
import selectors
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SEND_BUFFER = 1 << 20


class Spectators:
    """input_fd: the descriptor that takes the container's input now, or -1."""

    def __init__(self, selector: selectors.BaseSelector, input_fd: Callable[[], int]) -> None:
        self._selector = selector
        self._input_fd = input_fd
        self._connections: list[socket.socket] = []

    def add(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._connections.append(connection)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._pass_input(connection))

    def show(self, data: bytes) -> None:
        """A client that does not keep up is disconnected: the log has it all, and the container must not wait."""
        for connection in list(self._connections):
            try:
                if connection.send(data) == len(data):
                    continue
            except OSError:
                pass
            self._drop(connection)

    def _pass_input(self, connection: socket.socket) -> None:
        """Input that the container has no room for is dropped, as by a terminal."""
        try:
            data = connection.recv(4096)
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        target = self._input_fd()
        if target >= 0:
            try:
                os.write(target, data)
            except OSError:
                return  # or no process has the other end open any more

    def _drop(self, connection: socket.socket) -> None:
        self._connections.remove(connection)
        self._selector.unregister(connection)
        connection.close()

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
