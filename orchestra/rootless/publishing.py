"""A supervisor's words to the keeper: which sockets of the host lead to which containers. Blocking calls."""

from __future__ import annotations

import os

from orchestra.linux import unix_socket
from orchestra.rootless import socket_message
from orchestra.rootless.places import relay_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from orchestra.home import Home

PATIENCE = 10.0
Published = tuple["socket.socket", "Sequence[tuple[str, int]]"]


def publish(home: Home, stack: str, ports: Sequence[Published]) -> None:
    """Have exactly these sockets, bound in the host's network, lead to the addresses beside them. Raises OSError."""
    message = {"op": "publish", "stack": stack, "targets": [targets for _, targets in ports]}
    with _connected(home) as connection:
        socket_message.send(connection, message, [bound for bound, _ in ports])
        answer, _ = socket_message.receive(connection)
    if "errno" in answer:
        raise OSError(answer["errno"], os.strerror(answer["errno"]))


def held(home: Home, stack: str) -> list[socket.socket]:
    """The sockets that were published for the stack last; the caller closes them. Raises OSError."""
    with _connected(home) as connection:
        socket_message.send(connection, {"op": "held", "stack": stack})
        return socket_message.receive(connection)[1]


def _connected(home: Home) -> socket.socket:
    connection = unix_socket.connect(relay_socket(home.rootless))
    connection.settimeout(PATIENCE)
    return connection
