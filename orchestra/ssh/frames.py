"""What passes through the connection, in both directions: frames of a kind, for a stream, with a content.

Before the first frame the side that answers writes one line, its greeting. What a shell says before it is skipped.
"""

from __future__ import annotations

import os
import struct

from orchestra.named_tuple import NamedTuple

PROTOCOL = 1
"""Changed with anything that both sides must understand alike."""
WINDOW = 1 << 18
"""Bytes of a stream that may be under way before the reader has taken them."""
CHUNK = 1 << 16
STDIN, STDOUT, STDERR = 0, 1, 2

ORDER, INPUT, SIGNAL, SIZE = b"O", b"I", b"S", b"W"
"""From the side that asks: what to run; input of a stream, empty at its end; a signal; the size of its terminal."""
OUTPUT, TAKEN, WANTED, EXIT = b"o", b"t", b"w", b"x"
"""From the side that answers: output; how much of a stream was taken; a directory to send as a stream; the end."""

_HEAD = struct.Struct(">cII")
_GREETING = b"\0orchestra "
_LONGEST_GREETING = 1 << 16
MOST = 1 << 26
"""Bytes of the content of a frame."""


class Frame(NamedTuple):
    kind: bytes
    stream: int
    content: bytes


class Greeting(NamedTuple):
    protocol: int
    version: str


class Garbled(Exception):
    """The other side does not speak this protocol."""


def render_greeting(version: str) -> bytes:
    return _GREETING + f"{PROTOCOL} {version}\n".encode()


class Parser:
    """Takes bytes as they come."""

    def __init__(self, *, greeted: bool = False) -> None:
        self._buffer = bytearray()
        self._greeted = greeted

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def greeting(self) -> Greeting | None:
        """The greeting, once it is here. Raises Garbled."""
        begin = self._buffer.find(_GREETING)
        end = self._buffer.find(b"\n", begin) if begin >= 0 else -1
        if end < 0:
            if len(self._buffer) > _LONGEST_GREETING:
                raise Garbled
            return None
        protocol, _, version = self._buffer[begin + len(_GREETING) : end].decode(errors="replace").partition(" ")
        del self._buffer[: end + 1]
        if not protocol.isdecimal():
            raise Garbled
        return Greeting(int(protocol), version)

    def frames(self) -> list[Frame]:
        """Those that are complete. Raises Garbled."""
        found, position = [], 0
        while len(self._buffer) - position >= _HEAD.size:
            kind, stream, length = _HEAD.unpack_from(self._buffer, position)
            if length > MOST:
                raise Garbled
            begin = position + _HEAD.size
            if len(self._buffer) < begin + length:
                break
            found.append(Frame(kind, stream, bytes(self._buffer[begin : begin + length])))
            position = begin + length
        del self._buffer[:position]
        return found


class Outbox:
    """What is still to be written to a descriptor that does not block."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._buffer = bytearray()
        os.set_blocking(fd, False)

    def __len__(self) -> int:
        return len(self._buffer)

    def put(self, data: bytes) -> None:
        self._buffer += data

    def send(self, kind: bytes, stream: int = 0, content: bytes = b"") -> None:
        self._buffer += _HEAD.pack(kind, stream, len(content)) + content

    def write(self) -> int:
        """As much as fits; how much that was. Raises OSError when there is no reader."""
        total = 0
        while self._buffer:
            try:
                written = os.write(self.fd, self._buffer[:CHUNK])
            except BlockingIOError:
                break
            total += written
            del self._buffer[:written]
        return total


def read_available(fd: int) -> bytes | None:
    """At most a chunk; None if there is nothing yet, b'' at the end. A terminal whose other end is closed is at its
    end.
    """
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
