"""A supervisor's words to the keeper: which sockets of the host lead to which containers. Blocking calls."""

from __future__ import annotations

import json
import socket

from orchestra.linux import unix_socket
from orchestra.rootless.places import relay_socket
from orchestra.rootless.relays import MESSAGE_MAX, MOST_PORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.home import Home

PATIENCE = 10.0
Published = tuple[socket.socket, "Sequence[tuple[str, int]]"]


def publish(home: Home, stack: str, ports: Sequence[Published]) -> None:
    """Have exactly these sockets, bound in the host's network, lead to the addresses beside them. Raises OSError."""
    message = {"op": "publish", "stack": stack, "targets": [targets for _, targets in ports]}
    with _connected(home) as connection:
        fds = [bound.fileno() for bound, _ in ports[:MOST_PORTS]]
        unix_socket.send(connection, json.dumps(message).encode() + b"\n", fds)
        if not connection.recv(MESSAGE_MAX):
            raise ConnectionResetError("the keeper of the home's namespaces has ended")


def held(home: Home, stack: str) -> list[socket.socket]:
    """The sockets that were published for the stack last; the caller closes them. Raises OSError."""
    with _connected(home) as connection:
        connection.sendall(json.dumps({"op": "held", "stack": stack}).encode() + b"\n")
        _, fds = unix_socket.receive(connection, MESSAGE_MAX, MOST_PORTS)
        return [socket.socket(fileno=fd) for fd in fds]


def _connected(home: Home) -> socket.socket:
    connection = unix_socket.connect(relay_socket(home.rootless))
    connection.settimeout(PATIENCE)
    return connection
