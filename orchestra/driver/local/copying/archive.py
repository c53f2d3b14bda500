"""Items from tar archives, and tar archives of items, forward only and in bounded memory."""

from __future__ import annotations

import os
import tarfile
from typing import TYPE_CHECKING, Protocol

from orchestra.driver.local.copying.item import CHUNK, Item, write_all
from orchestra.driver.local.image.layers.compression import decompressed
from orchestra.driver.local.image.layers.tar import archive_errors, entries, open_tar

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator, Sequence

ZEROS = bytes(CHUNK)


class Output(Protocol):
    def write(self, data: bytes, /) -> int: ...


class _Member:
    """The content of a file in an archive."""

    def __init__(self, tar: tarfile.TarFile, entry: tarfile.TarInfo, what: str) -> None:
        self._what = what
        self._tar = tar
        self._entry = entry

    def chunks(self) -> Iterator[bytes]:
        chunks = self._chunks()
        while True:
            with archive_errors(self._what):
                chunk = next(chunks, b"")
            if not chunk:
                return
            yield chunk

    def _chunks(self) -> Iterator[bytes]:
        if self._entry.issparse():
            content = self._tar.extractfile(self._entry)
            while content is not None and (chunk := content.read(CHUNK)):
                yield chunk
            return
        # The stream is where the content begins; a reader of tarfile's own for each file takes longer than most files.
        stream = self._tar.fileobj
        assert stream is not None
        left = self._entry.size
        while left:
            chunk = stream.read(min(CHUNK, left))
            if not chunk:
                raise EOFError(f"it ends within {self._entry.name!r}")
            left -= len(chunk)
            yield chunk

    def copy_to(self, targets: Sequence[int]) -> None:
        for chunk in self.chunks():
            if self._entry.issparse() and chunk == ZEROS[: len(chunk)]:
                for target in targets:
                    os.lseek(target, len(chunk), os.SEEK_CUR)
            else:
                for target in targets:
                    write_all(target, chunk)
        for target in targets:
            os.ftruncate(target, self._entry.size)


def read_archive(stream: io.BufferedReader, what: str) -> Iterator[Item]:
    """The items of an archive, compressed or not. Raises FatalError if it is damaged."""
    with archive_errors(what), open_tar(decompressed(stream), seekable=False) as tar:
        for entry in entries(tar):
            yield Item(entry, _Member(tar, entry, what) if entry.isreg() else None)


def write_archive(items: Iterable[Item], output: Output, top: str) -> None:
    """top: the name of the top in the archive; '' leaves it out, so that names begin with its entries."""
    for entry, content in items:
        name = "/".join(filter(None, (top, entry.name)))
        if not name:
            continue
        entry.name = f"{name}/" if entry.isdir() else name
        if entry.islnk():
            entry.linkname = "/".join(filter(None, (top, entry.linkname)))
        write_entry(Item(entry, content), output)
    end_archive(output)


def write_entry(item: Item, output: Output) -> None:
    entry, content = item
    output.write(entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
    if content is not None:
        for chunk in content.chunks():
            output.write(chunk)
        if rest := entry.size % tarfile.BLOCKSIZE:
            output.write(ZEROS[: tarfile.BLOCKSIZE - rest])


def end_archive(output: Output) -> None:
    """Two blocks of zeros (pax(1), "ustar Interchange Format")."""
    output.write(ZEROS[: 2 * tarfile.BLOCKSIZE])
