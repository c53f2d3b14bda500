"""WebSocket as far as attaching to a container needs it: the answer to its handshake, and a program behind it."""

from __future__ import annotations

import base64
import hashlib
import os
import queue
from typing import TYPE_CHECKING

from orchestra.engine_api.errors import bad_request
from orchestra.websocket import BINARY, CLOSE, GOING, PING, PONG, Decoder, Frame, Malformed, closing, render_frame

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection, Iterator

    from orchestra.engine_api.exchange import Request
    from orchestra.engine_api.relay import Program
    from orchestra.stacks.detach_keys import DetachKeys

_SECRET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


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
