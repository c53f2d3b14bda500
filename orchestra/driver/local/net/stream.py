"""DNS messages on a TCP connection: each after its length in two bytes (RFC 1035 section 4.2.2).

Works on non-blocking sockets, since the sockets come from other network namespaces.
"""

from __future__ import annotations

import os
import struct
from errno import EINPROGRESS
from socket import SO_ERROR, SOL_SOCKET
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    import socket


async def connect(connection: socket.socket, address: tuple[str, int]) -> None:
    """Connect a non-blocking socket. Raises OSError."""
    number = connection.connect_ex(address)
    if number == EINPROGRESS:
        await anyio.wait_writable(connection)
        number = connection.getsockopt(SOL_SOCKET, SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


async def read_message(connection: socket.socket) -> bytes | None:
    """The next message; None if the connection ends before one is complete."""
    header = await _exactly(connection, 2)
    if header is None:
        return None
    (length,) = struct.unpack("!H", header)
    return await _exactly(connection, length)


async def write_message(connection: socket.socket, message: bytes) -> None:
    data = memoryview(struct.pack("!H", len(message)) + message)
    while data:
        try:
            data = data[connection.send(data) :]
        except BlockingIOError:
            await anyio.wait_writable(connection)


async def _exactly(connection: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        try:
            received = connection.recv(count - len(data))
        except BlockingIOError:
            await anyio.wait_readable(connection)
            continue
        if not received:
            return None
        data += received
    return data
