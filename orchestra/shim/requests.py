"""The socket for requests to a shim: one request per connection, by the name of an operation."""

from __future__ import annotations

import selectors
from errno import EINVAL
from typing import Any

from orchestra.container import wire
from orchestra.linux import unix_socket
from orchestra.linux.syscall import SystemCallError
from orchestra.shim import stack_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

CLIENT_SECONDS = 1.0
LONGEST_REQUEST = 4096
MOST_WAITING = 64


class Requests:
    """operations: by name; each gets the client's connection, which it must answer and close."""

    def __init__(
        self, selector: selectors.BaseSelector, name: str, operations: Mapping[str, Callable[[socket.socket], None]]
    ) -> None:
        self._selector, self._name, self._operations = selector, name, operations
        self._open: set[socket.socket] = set()  # listening sockets, and clients that have not asked yet

    def listen(self, path: str) -> None:
        listener = unix_socket.listen(path)
        listener.setblocking(False)
        self._open.add(listener)
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))

    def close(self) -> None:
        for connection in self._open:
            connection.close()

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _address = listener.accept()
        except BlockingIOError:
            return
        if len(self._open) > MOST_WAITING:
            connection.close()  # looks to the client as if this process had been killed: it looks, and asks again
            return
        connection.setblocking(False)
        self._open.add(connection)
        line = bytearray()
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._hear(connection, line))

    def _hear(self, connection: socket.socket, line: bytearray) -> None:
        """Do not wait for a client that says nothing, or half a request; end of file tells it that the run is over."""
        try:
            data = connection.recv(LONGEST_REQUEST)
        except OSError:
            data = b""
        line += data
        if data and not line.endswith(b"\n") and len(line) < LONGEST_REQUEST:
            return
        self._selector.unregister(connection)
        self._open.discard(connection)
        if not line:
            connection.close()  # a client that only waited for the end
            return
        connection.settimeout(CLIENT_SECONDS)
        try:
            self._handle(connection, wire.decode(line).get("op"))
        except (OSError, ValueError) as error:
            stack_log.write(f"{self._name}: request failed: {error}")
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
