"""A blob that is read while it arrives: the reader sees a file that waits for what is not there yet."""

from __future__ import annotations

import contextlib
import io
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.driver.local.image.content.store import ContentStore

CHUNK = 1 << 18
WHOLE = "whole\n"


class Reports:
    """Messages about one blob, a line each: how many bytes are there, and finally that it is complete and verified."""

    def __init__(self, lines: IO[str]) -> None:
        self._lines = lines
        self.count = 0
        self.is_whole = False

    def wait(self) -> None:
        """Wait for the next message. Raises SystemExit at the end of input: the sender has given up."""
        line = self._lines.readline()
        if not line:
            raise SystemExit(1)
        if line == WHOLE:
            self.is_whole = True
        else:
            self.count = int(line)

    def wait_for_whole(self) -> None:
        while not self.is_whole:
            self.wait()


class Growing(io.RawIOBase):
    """It ends with ``file`` once the blob is complete. Raises EOFError if the file was cut: it was begun anew."""

    def __init__(self, file: io.FileIO, reports: Reports) -> None:
        self._file = file
        self._reports = reports
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        while self._position >= self._reports.count and not self._reports.is_whole:
            self._reports.wait()
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # RawIOBase gives any buffer
        if not self._reports.is_whole:
            view = view[: self._reports.count - self._position]
        count = self._file.readinto(view) or 0
        if not count and not self._reports.is_whole:
            raise EOFError("it was begun anew")
        self._position += count
        return count


class Eager(io.BufferedReader):
    """Returns what is there instead of waiting for all that was asked for: empty only at the end."""

    def read(self, size: int | None = -1, /) -> bytes:
        return self.read1(-1 if size is None else size)

    def readinto(self, buffer: Any, /) -> int:
        return self.readinto1(buffer)


@contextlib.contextmanager
def opened_growing(content: ContentStore, digest: str, reports: Reports) -> Iterator[io.BufferedReader]:
    """The context ends once the blob is complete."""
    with content.open_arriving(digest) as file:
        yield Eager(Growing(file, reports), CHUNK)
        reports.wait_for_whole()
