"""The socket at which a shim is asked for something: one request for each connection, by the name of an operation."""

from __future__ import annotations

import os
import selectors
import sys
from errno import EINVAL
from typing import Any

from orchestra.linux import unix_socket
from orchestra.linux.syscall import SystemCallError
from orchestra.shim import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

CLIENT_SECONDS = 1.0


class Requests:
    """operations: by name what is done for whom is connected, who is theirs to answer and to close."""

    def __init__(
        self, selector: selectors.BaseSelector, name: str, operations: Mapping[str, Callable[[socket.socket], None]]
    ) -> None:
        self._selector, self._name, self._operations = selector, name, operations
        self._waiting: set[socket.socket] = set()

    def listen(self, path: str) -> None:
        self._listener = unix_socket.listen(path)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        for connection in (self._listener, *self._waiting):
            connection.close()

    def _accept(self) -> None:
        try:
            connection, _address = self._listener.accept()
        except BlockingIOError:
            return
        self._waiting.add(connection)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._hear(connection))

    def _hear(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        self._waiting.discard(connection)
        connection.settimeout(CLIENT_SECONDS)
        try:
            request, fds = wire.receive(connection)
            for fd in fds:
                os.close(fd)
            self._handle(connection, request.get("op"))
        except (OSError, ValueError) as error:
            print(f"{self._name}: request failed: {error}", file=sys.stderr, flush=True)
            connection.close()

    def _handle(self, connection: socket.socket, operation: Any) -> None:
        known = self._operations.get(operation) if isinstance(operation, str) else None
        if known is not None:
            known(connection)
        else:
            refuse(connection, SystemCallError(EINVAL, str(operation), self._name, "not an operation of a shim"))


def refuse(connection: socket.socket, error: SystemCallError) -> None:
    wire.send(connection, {"error": wire.describe_error(error)})
    connection.close()
