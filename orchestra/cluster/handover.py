"""A connection that an HTTP answer has given over: its socket, and what has come on it already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore2

if TYPE_CHECKING:
    import socket

    import httpx2

_MOST = 1 << 16


def taken_over(response: httpx2.Response) -> tuple[socket.socket, bytes]:
    stream = response.extensions["network_stream"]
    connection: socket.socket = stream.get_extra_info("socket")
    try:
        return connection, stream.read(_MOST, timeout=0.001)
    except httpcore2.ReadTimeout:
        return connection, b""
