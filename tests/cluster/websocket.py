"""The server's side of a program in a pod, with frames that another library makes."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

NEWER, OLDER = "v5.channel.k8s.io", "v4.channel.k8s.io"

PONG = -1


class Remote:
    """query: what is asked for."""

    def __init__(self, handler: BaseHTTPRequestHandler, protocol: str = NEWER) -> None:
        assert protocol in handler.headers["Sec-WebSocket-Protocol"]
        key = handler.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Accept: {accept}", f"Sec-WebSocket-Protocol: {protocol}", "", ""]
        self._frames = Connection(ConnectionType.SERVER)
        self._handler = handler
        self._head = "\r\n".join(lines).encode()
        self.query = parse_qs(urlsplit(handler.path).query)
        handler.close_connection = True

    def send(self, channel: int, data: bytes) -> None:
        self._write(self._frames.send(BytesMessage(bytes((channel,)) + data)))

    def ping(self, data: bytes) -> None:
        self._write(self._frames.send(Ping(data)))

    def end(self, code: int = 0) -> None:
        status: dict[str, Any] = {"status": "Success"}
        if code:
            causes = [{"reason": "ExitCode", "message": str(code)}]
            status = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
        self.send(3, json.dumps(status).encode())
        self._write(self._frames.send(CloseConnection(1000)))

    def received(self) -> Iterator[tuple[int, bytes]]:
        """Channels, or PONG, and what came on them, until the client hangs up."""
        self._write(b"")
        message = bytearray()
        while data := self._handler.connection.recv(1 << 16):
            self._frames.receive_data(data)
            for event in self._frames.events():
                if isinstance(event, Pong):
                    yield PONG, bytes(event.payload)
                elif isinstance(event, BytesMessage):
                    message += event.data
                    if event.message_finished:
                        yield message[0], bytes(message[1:])
                        message = bytearray()

    def _write(self, data: bytes) -> None:
        self._handler.connection.sendall(self._head + data)
        self._head = b""
