"""Forwarding queries to other name servers, from the host's network namespace, with the container's own bytes.

Query and reply pass unchanged, including EDNS, so the client decides what the server may send. Each query over UDP has
a socket of its own: a random port and the connection keep out replies of strangers.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import anyio

from orchestra.driver.local.net.stream import connect, read_message, write_message

if TYPE_CHECKING:
    from collections.abc import Sequence

# Seconds to wait for one server, and rounds to make: together less than the 5 seconds that a client waits.
TIMEOUT = 2.0
ROUNDS = 2
LARGEST = 65535
PORT = 53


async def forward(
    query: bytes, servers: Sequence[str], *, udp: bool, port: int = PORT, timeout: float = TIMEOUT
) -> bytes | None:
    """The reply of the first server that gives one, asked in order; None if none does."""
    for _ in range(ROUNDS):
        for server in servers:
            with anyio.move_on_after(timeout):
                try:
                    return await (_ask_udp if udp else _ask_tcp)(query, server, port)
                except OSError:
                    continue  # refused or unreachable: the next server may do better
    return None


async def _ask_udp(query: bytes, server: str, port: int) -> bytes:
    with _socket(server, socket.SOCK_DGRAM) as connection:
        connection.connect((server, port))
        connection.send(query)
        while True:
            await anyio.wait_readable(connection)
            reply = connection.recv(LARGEST)
            if reply[:2] == query[:2] and len(reply) > 2 and reply[2] & 0x80:
                return reply


async def _ask_tcp(query: bytes, server: str, port: int) -> bytes:
    with _socket(server, socket.SOCK_STREAM) as connection:
        await connect(connection, (server, port))
        await write_message(connection, query)
        reply = await read_message(connection)
        if reply is None:
            raise ConnectionResetError(f"name server {server} closed the connection")
        return reply


def _socket(server: str, kind: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    return socket.socket(family, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
