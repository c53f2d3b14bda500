"""Reading tar archives that are not trusted, with the standard library's reader made strict.

``tarfile`` takes a header it cannot read for the end of the archive, reads extension headers whole whatever size they
claim, and remembers every member. None of that may happen with an archive from elsewhere.
"""

from __future__ import annotations

import contextlib
import tarfile
from typing import IO, TYPE_CHECKING, Any

from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.layers.compression import damage
from orchestra.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

# Longer than any name or attribute that Linux takes: those end at 4 and 64 KiB.
HEADER_LIMIT = 1 << 20
GLOBALS_LIMIT = 100
BUFFER = 1 << 16
EXTENSIONS = frozenset(
    (
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
    )
)


class Entry(tarfile.TarInfo):
    """A member whose header was readable and bounded: then it has been checked."""

    is_checked = False

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        with _damage_told(_is_end(buf)):
            return super().frombuf(buf, encoding, errors)._checked()

    @classmethod
    def _frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str, **options: Any) -> Self:
        """What newer versions of tarfile call in place of ``frombuf``."""
        with _damage_told(_is_end(buf)):
            entry: Self = super()._frombuf(buf, encoding, errors, **options)  # type: ignore[misc]
            return entry._checked()

    def _proc_member(self, tar: tarfile.TarFile) -> Self:
        """tarfile's own entry point for subclasses: what follows a header, such as extensions and the header they are
        for.
        """
        with _damage_told():
            member: Self = super()._proc_member(tar)  # type: ignore[misc]
        return member

    def _checked(self) -> Self:
        if self.type in EXTENSIONS and not 0 <= self.size <= HEADER_LIMIT:
            raise FatalError(
                f"the tar archive has an extension header of {self.size} bytes; {HEADER_LIMIT} is the most"
            )
        if self.size < 0:
            raise FatalError("the tar archive has a member of negative size")
        self.is_checked = True
        return self


def _is_end(header: bytes | bytearray) -> bool:
    """Of the archive: a block of zeros, or often nothing at all."""
    return len(header) in (0, tarfile.BLOCKSIZE) and not any(header)


@contextlib.contextmanager
def _damage_told(is_end: bool = False) -> Iterator[None]:
    """tarfile's own errors of headers as ours, but for the end: it would take the others for the end too."""
    try:
        yield
    except tarfile.HeaderError as error:
        if is_end:
            raise
        raise FatalError(f"the tar archive is damaged: {error}", hint="fetch or make it again") from error


def open_tar(stream: IO[bytes], *, seekable: bool) -> tarfile.TarFile:
    mode: Any = "r:" if seekable else "r|"
    with _header_errors():
        return tarfile.open(
            fileobj=stream, mode=mode, bufsize=BUFFER, tarinfo=Entry, encoding="utf-8", errors="surrogateescape"
        )


def entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """All members in order; none is kept."""
    while True:
        with _header_errors():
            entry = tar.next()
        if entry is None:
            return
        if not (isinstance(entry, Entry) and entry.is_checked):
            raise RuntimeError("this version of tarfile reads headers past our checks")
        # Extension headers override what frombuf saw, and global ones pile up.
        if entry.size < 0 or len(tar.pax_headers) > GLOBALS_LIMIT:
            raise FatalError("the tar archive has senseless extension headers", hint="fetch or make it again")
        yield entry
        tar.members.clear()  # type: ignore[attr-defined]  # typeshed lacks it


@contextlib.contextmanager
def _header_errors() -> Iterator[None]:
    """What tarfile does not expect: numbers that are none, maps of holes cut short, headers upon headers."""
    try:
        yield
    except (ValueError, IndexError, OverflowError, RecursionError) as error:
        raise FatalError(f"the tar archive is damaged: {error}", hint="fetch or make it again") from error


@contextlib.contextmanager
def archive_errors(what: str) -> Iterator[None]:
    """What may go wrong while reading an archive or a compressed stream, as a FatalError that names it."""
    try:
        with file_errors(what):
            yield
    except damage() as error:
        raise FatalError(f"{what} is damaged: {error}", hint="fetch or make it again") from error
