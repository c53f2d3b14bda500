"""A JSON message with any number of sockets, between supervisors and keeper.

Its length and their number go first. The kernel passes no more than 253 descriptors at once (unix(7), SCM_MAX_FD).
"""

from __future__ import annotations

import json
import socket
import struct

from orchestra.linux import unix_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

AT_ONCE = 250
_HEAD = struct.Struct("<II")


def send(connection: socket.socket, message: dict[str, Any], sockets: Sequence[socket.socket] = ()) -> None:
    text = json.dumps(message).encode()
    connection.sendall(_HEAD.pack(len(text), len(sockets)) + text)
    for begin in range(0, len(sockets), AT_ONCE):
        unix_socket.send(connection, b"s", [each.fileno() for each in sockets[begin : begin + AT_ONCE]])


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[socket.socket]]:
    """The caller closes the sockets. Raises ConnectionResetError if the message is cut off."""
    length, count = _HEAD.unpack(_receive_exactly(connection, _HEAD.size))
    message: dict[str, Any] = json.loads(_receive_exactly(connection, length))
    sockets: list[socket.socket] = []
    while len(sockets) < count:
        _, fds = unix_socket.receive(connection, 1, AT_ONCE)
        if not fds:
            for each in sockets:
                each.close()
            raise ConnectionResetError("a message was cut off")
        sockets += [socket.socket(fileno=fd) for fd in fds]
    return message, sockets


def _receive_exactly(connection: socket.socket, length: int) -> bytes:
    """Never a byte more: a descriptor that travels with that would be lost."""
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise ConnectionResetError("a message was cut off")
        data += piece
    return data
