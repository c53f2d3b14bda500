"""WebSocket (RFC 6455) as far as attaching to a container needs it: handshake, frames, and a program behind them."""

from __future__ import annotations

import base64
import hashlib
import os
import queue
import struct
from typing import TYPE_CHECKING, NamedTuple

from orchestra.engine_api.errors import bad_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection, Iterator

    from orchestra.engine_api.exchange import Request
    from orchestra.engine_api.relay import Program
    from orchestra.stacks.detach_keys import DetachKeys

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GOING, WRONG, TOO_BIG = 1000, 1002, 1009
"""Why a connection is closed: section 7.4.1."""
MOST = 1 << 20
"""Bytes of a frame's content that a client may send at once."""
LAST, MASKED, SHORT = 0x80, 0x80, 126
_SECRET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Frame(NamedTuple):
    kind: int
    content: bytes


class Malformed(Exception):
    """A client has sent what is no frame. code: as in the frame that tells it so."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def answer_handshake(request: Request) -> bytes:
    """The head of the answer that accepts it. Raises ApiError for what is no handshake."""
    headers = request.headers
    key = headers.get("sec-websocket-key", "")
    if headers.get("upgrade", "").lower() != "websocket" or not key or headers.get("sec-websocket-version") != "13":
        raise bad_request("this endpoint speaks WebSocket, version 13")
    accept = base64.b64encode(hashlib.sha1(key.encode("latin-1") + _SECRET, usedforsecurity=False).digest()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode()


def render_frame(kind: int, content: bytes) -> bytes:
    """Of a server, which masks nothing."""
    size = len(content)
    if size < SHORT:
        return struct.pack(">BB", LAST | kind, size) + content
    if size < 1 << 16:
        return struct.pack(">BBH", LAST | kind, 126, size) + content
    return struct.pack(">BBQ", LAST | kind, 127, size) + content


def closing(code: int) -> bytes:
    """The content of a frame that closes."""
    return struct.pack(">H", code)


class Decoder:
    """Of what a client sends, in pieces of any size."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Raises Malformed."""
        self._data += data
        while (frame := self._take()) is not None:
            yield frame

    def _take(self) -> Frame | None:
        if len(self._data) < 2:
            return None
        kind, size = self._data[0] & 0x0F, self._data[1] & 0x7F
        if (
            self._data[0] & 0x70
            or not self._data[1] & MASKED
            or kind not in (CONTINUED, TEXT, BINARY, CLOSE, PING, PONG)
        ):
            raise Malformed(WRONG)
        place = 2
        if size >= SHORT:
            code = ">H" if size == SHORT else ">Q"
            if len(self._data) < (place := 2 + struct.calcsize(code)):
                return None
            (size,) = struct.unpack_from(code, self._data, 2)
        if size > MOST:
            raise Malformed(TOO_BIG)
        end = place + 4 + size
        if len(self._data) < end:
            return None
        mask, content = self._data[place : place + 4], self._data[place + 4 : end]
        self._data = self._data[end:]
        return Frame(kind, _unmasked(content, mask))


def _unmasked(content: bytes, mask: bytes) -> bytes:
    """As one number: byte by byte it would take a thousand times as long."""
    size = len(content)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(content, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


class FramedProgram:
    """A program whose client sends frames, and is answered among its output: only ``relay`` writes to the client.

    Streams below zero are such answers: the kind of the frame. Use ``with``.
    """

    def __init__(self, program: Program, keys: DetachKeys | None) -> None:
        self._program = program
        self._keys = keys
        self._decoder = Decoder()
        self._answers: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.over = False

    def __enter__(self) -> FramedProgram:
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self._wake)

    def sources(self) -> list[int]:
        return [*self._program.sources(), self._wake]

    def read(self, ready: Collection[int]) -> Iterator[tuple[int, bytes]]:
        yield from self._program.read([fd for fd in ready if fd != self._wake])
        self.over = self._program.over
        if self.over:
            yield -CLOSE, closing(GOING)
        elif self._wake in ready:
            os.eventfd_read(self._wake)
            while not self._answers.empty() and not self.over:
                kind, content = self._answers.get()
                yield -kind, content
                self.over = kind == CLOSE

    def write(self, data: bytes, client: socket.socket) -> None:
        try:
            for kind, content in self._decoder.feed(data):
                if kind == CLOSE:
                    self._answer(CLOSE, content[:2])
                elif kind == PING:
                    self._answer(PONG, content)
                elif kind != PONG:
                    self._pass(content, client)
        except Malformed as error:
            self._answer(CLOSE, closing(error.code))

    def _pass(self, content: bytes, client: socket.socket) -> None:
        self._program.write(content if self._keys is None else self._keys.passed(content), client)
        if self._keys is not None and self._keys.are_typed:
            self._answer(CLOSE, closing(GOING))

    def end_input(self) -> None:
        self._program.end_input()

    def _answer(self, kind: int, content: bytes) -> None:
        self._answers.put(Frame(kind, content))
        os.eventfd_write(self._wake, 1)


def render(stream: int, data: bytes) -> bytes:
    """What ``FramedProgram`` has read, as frames."""
    return render_frame(-stream, data) if stream < 0 else render_frame(BINARY, data)
