"""The stream format of attach, exec and logs without a terminal: each piece has a header (Engine API, "Stream format").

Pure.
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct(">BxxxI")
STDOUT, STDERR = 1, 2


def frame(stream: int, data: bytes) -> bytes:
    return _HEADER.pack(stream, len(data)) + data
