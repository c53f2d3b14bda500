"""Several streams in one, as engines send output: a head of eight bytes before each piece. Pure.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = struct.Struct(">BxxxL")


class Demultiplexer:
    """Of data in pieces of any size."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Streams, 1 for output and 2 for errors, and what was written to them."""
        self._data += data
        while len(self._data) >= _HEAD.size:
            stream, size = _HEAD.unpack_from(self._data)
            end = _HEAD.size + size
            if len(self._data) < end:
                return
            content, self._data = self._data[_HEAD.size : end], self._data[end:]
            yield stream, content
