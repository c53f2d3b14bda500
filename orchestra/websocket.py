"""Frames of WebSocket (RFC 6455), of both sides. Pure, standard library only."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GOING, WRONG, TOO_BIG = 1000, 1002, 1009
"""Why a connection is closed: section 7.4.1."""
MOST = 1 << 20
"""Bytes of a frame's content that are taken at once."""
LAST, MASKED, SHORT = 0x80, 0x80, 126


class Frame(NamedTuple):
    kind: int
    content: bytes


class Malformed(Exception):
    """The other side has sent what is no frame. code: as in the frame that tells it so."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def render_frame(kind: int, content: bytes, mask: bytes = b"") -> bytes:
    """mask: four bytes of a client; a server masks nothing."""
    size, masked = len(content), MASKED if mask else 0
    if size < SHORT:
        head = struct.pack(">BB", LAST | kind, masked | size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", LAST | kind, masked | SHORT, size)
    else:
        head = struct.pack(">BBQ", LAST | kind, masked | 127, size)
    return head + mask + (_masked(content, mask) if mask else content)


def closing(code: int) -> bytes:
    """The content of a frame that closes."""
    return struct.pack(">H", code)


class Decoder:
    """Of what the other side sends, in pieces of any size. masked: it is a client."""

    def __init__(self, *, masked: bool = True) -> None:
        self._masked = MASKED if masked else 0
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
            or self._data[1] & MASKED != self._masked
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
        start = place + (4 if self._masked else 0)
        if len(self._data) < start + size:
            return None
        mask, content = self._data[place:start], self._data[start : start + size]
        self._data = self._data[start + size :]
        return Frame(kind, _masked(content, mask) if mask else content)


def _masked(content: bytes, mask: bytes) -> bytes:
    """And back again. As one number: byte by byte it would take a thousand times as long."""
    size = len(content)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(content, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
