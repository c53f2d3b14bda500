"""What a shim and an attached client say to each other: a number, a length, and so many bytes."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

INPUT, OUTPUT, ERROR, END = 0, 1, 2, 3
"""What a frame holds: input for the container, where no bytes are the end of it; output of either stream; the exit code
in decimal, or nothing where it could not be learned, as the last frame of a run."""

LONGEST = 1 << 20

_HEADER = struct.Struct(">BI")


def frame(number: int, data: bytes | bytearray | memoryview) -> bytes:
    return _HEADER.pack(number, len(data)) + data


class Frames:
    """Takes bytes as they come and gives whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def take(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Number and content. Raises ValueError for what is no frame."""
        self._buffer += data
        begin = 0
        while len(self._buffer) - begin >= _HEADER.size:
            number, length = _HEADER.unpack_from(self._buffer, begin)
            if number > END or length > LONGEST:
                raise ValueError(f"frame {number} of {length} bytes")
            end = begin + _HEADER.size + length
            if len(self._buffer) < end:
                break
            yield number, bytes(self._buffer[begin + _HEADER.size : end])
            begin = end
        del self._buffer[:begin]
