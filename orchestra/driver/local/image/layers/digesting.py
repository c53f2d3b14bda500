"""The uncompressed content of a layer: hashed while it is read, up to a limit."""

from __future__ import annotations

import hashlib
import math
from typing import IO

from orchestra.errors import FatalError


class Digesting:
    """limit: bytes."""

    def __init__(self, stream: IO[bytes], limit: float = math.inf) -> None:
        self._stream = stream
        self._limit = limit
        self._spent = 0
        self._hash = hashlib.sha256()
        self._start = b""

    def begin(self) -> bool:
        """Whether there is anything to read: an archive of no bytes is empty, and tarfile would refuse it."""
        self._start = self._stream.read(1)
        return bool(self._start)

    def read(self, size: int = -1) -> bytes:
        data, self._start = self._start + self._stream.read(size - len(self._start)), b""
        self._hash.update(data)
        self.spend(len(data))
        return data

    def spend(self, count: int) -> None:
        """Count bytes that are not part of the stream, such as holes. Raises FatalError beyond the limit."""
        self._spent += count
        if self._spent > self._limit:
            raise FatalError(
                f"it unpacks to more than {self._limit / (1 << 30):.3g} GiB, which is far too much for its size",
                hint="do not trust this image; in your own images, keep large files of zeros in a volume",
            )

    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
