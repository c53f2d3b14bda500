"""The units of a copy: tar headers, each with the bytes of its file."""

from __future__ import annotations

import contextlib
import os
from errno import EBADF, EINVAL, ENOSYS, ENXIO, EOPNOTSUPP, EXDEV
from typing import TYPE_CHECKING, Protocol

from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator, Sequence

CHUNK = 1 << 20
# How copy_file_range(2) refuses two file systems, and some pairs of files.
REFUSED = (EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EBADF)


class Content(Protocol):
    """The bytes of a regular file, to be taken once."""

    def copy_to(self, targets: Sequence[int]) -> None:
        """Into empty files, keeping holes where they are known."""
        ...

    def chunks(self) -> Iterator[bytes]: ...


class Item(NamedTuple):
    """entry: its name is relative, and empty for the top itself. content: of regular files."""

    entry: tarfile.TarInfo
    content: Content | None = None


class FileContent:
    """The content of an open file: as many bytes as it had when it was opened, whatever happens to it meanwhile."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._size = size

    def close(self) -> None:
        os.close(self._fd)

    def copy_to(self, targets: Sequence[int]) -> None:
        for target in targets:
            os.ftruncate(target, self._size)
            for start, end in self._extents():
                _copy_range(self._fd, target, start, end)

    def chunks(self) -> Iterator[bytes]:
        """As many bytes as promised: zeros replace those that have gone meanwhile."""
        offset = 0
        while offset < self._size:
            wanted = min(CHUNK, self._size - offset)
            chunk = os.pread(self._fd, wanted, offset) or bytes(wanted)
            offset += len(chunk)
            yield chunk

    def _extents(self) -> Iterator[tuple[int, int]]:
        """The ranges that hold data, by SEEK_DATA of lseek(2)."""
        end = 0
        while end < self._size:
            try:
                start = os.lseek(self._fd, end, os.SEEK_DATA)
                end = min(os.lseek(self._fd, start, os.SEEK_HOLE), self._size)
            except OSError as error:
                if error.errno == ENXIO:
                    return
                start, end = end, self._size
            if start < end:
                yield start, end


class BytesContent:
    """The content of a short file that has been read already."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def copy_to(self, targets: Sequence[int]) -> None:
        for target in targets:
            write_all(target, self._data)

    def chunks(self) -> Iterator[bytes]:
        yield self._data


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _copy_range(source: int, target: int, start: int, end: int) -> None:
    """Ends early if the source has become shorter."""
    with contextlib.suppress(_Refused):
        _copy_in_kernel(source, target, start, end)
        return
    os.lseek(target, start, os.SEEK_SET)
    while start < end:
        copied = os.sendfile(target, source, start, min(end - start, 1 << 30))
        if not copied:
            return
        start += copied


class _Refused(Exception):
    """Nothing has been copied."""


def _copy_in_kernel(source: int, target: int, start: int, end: int) -> None:
    first = start
    while start < end:
        try:
            copied = os.copy_file_range(source, target, min(end - start, 1 << 30), start, start)
        except OSError as error:
            if error.errno in REFUSED and start == first:
                raise _Refused from error
            raise
        if not copied:
            return
        start += copied
