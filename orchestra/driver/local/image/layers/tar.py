"""Reading untrusted tar archives, with the standard library's reader made strict.

``tarfile`` takes an unreadable header for the end of the archive, reads extension headers whole whatever size they
claim, and remembers every member. None of that is acceptable for an untrusted archive.
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

# Longer than any name or attribute that Linux accepts: their limits are 4 and 64 KiB.
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
    """A member whose header is readable, bounded and checked."""

    is_checked = False

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        with _damage_told(_is_end(buf)):
            return super().frombuf(buf, encoding, errors)._checked()

    @classmethod
    def _frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str, **options: Any) -> Self:
        """Newer versions of tarfile call this instead of ``frombuf``."""
        with _damage_told(_is_end(buf)):
            entry: Self = super()._frombuf(buf, encoding, errors, **options)  # type: ignore[misc]
            return entry._checked()

    def _proc_member(self, tar: tarfile.TarFile) -> Self:
        """tarfile's hook for subclasses: it reads what follows a header, such as extensions and the header that they
        belong to.
        """
        with _damage_told():
            member: Self = super()._proc_member(tar)  # type: ignore[misc]
        return member

    def _checked(self) -> Self:
        if self.type in EXTENSIONS and not 0 <= self.size <= HEADER_LIMIT:
            raise FatalError(
                f"the tar archive has an extension header of {self.size} bytes; at most {HEADER_LIMIT} are allowed"
            )
        if self.size < 0:
            raise FatalError("the tar archive has a member of negative size")
        self.is_checked = True
        return self


def _is_end(header: bytes | bytearray) -> bool:
    """Whether this is the end of the archive: a block of zeros, or often nothing at all."""
    return len(header) in (0, tarfile.BLOCKSIZE) and not any(header)


@contextlib.contextmanager
def _damage_told(is_end: bool = False) -> Iterator[None]:
    """Turn tarfile's errors of headers into ours, except at the end: tarfile would take the others for the end too."""
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
    """All members in order, without remembering them."""
    while True:
        with _header_errors():
            entry = tar.next()
        if entry is None:
            return
        if not (isinstance(entry, Entry) and entry.is_checked):
            raise RuntimeError("this version of tarfile bypasses our checks of headers")
        # Extension headers override what frombuf saw, and global ones accumulate.
        if entry.size < 0 or len(tar.pax_headers) > GLOBALS_LIMIT:
            raise FatalError("the tar archive has invalid extension headers", hint="fetch or make it again")
        yield entry
        tar.members.clear()  # type: ignore[attr-defined]  # typeshed lacks it


@contextlib.contextmanager
def _header_errors() -> Iterator[None]:
    """Errors that tarfile does not handle: invalid numbers, maps of holes cut short, headers upon headers."""
    try:
        yield
    except (ValueError, IndexError, OverflowError, RecursionError) as error:
        raise FatalError(f"the tar archive is damaged: {error}", hint="fetch or make it again") from error


@contextlib.contextmanager
def archive_errors(what: str) -> Iterator[None]:
    """Turn errors of reading an archive or a compressed stream into a FatalError that names it."""
    try:
        with file_errors(what):
            yield
    except damage() as error:
        raise FatalError(f"{what} is damaged: {error}", hint="fetch or make it again") from error
