"""The files of an image, by name: in a directory, or in a tar archive without unpacking it."""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import shutil
import stat
import tempfile
from errno import EINVAL, ENOENT
from typing import IO, TYPE_CHECKING, Protocol

from orchestra.driver.local.image.layers.compression import compression_of, decompressed
from orchestra.driver.local.image.layers.tar import archive_errors, entries, open_tar
from orchestra.errors import FatalError
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 18
# An image has some three files per layer, and the index is kept in memory.
MEMBERS_LIMIT = 100_000
LINKS_LIMIT = 10


class Files(Protocol):
    path: str

    def open(self, name: str) -> io.BufferedReader:
        """Raises FileNotFoundError."""
        ...


class Directory:
    def __init__(self, path: str) -> None:
        self.path = path

    def open(self, name: str) -> io.BufferedReader:
        path = f"{self.path}/{name}"
        # Non-blocking, so that opening a FIFO in place of a file does not wait.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(EINVAL, "not a regular file", path)
        return open(fd, "rb")


class Member(NamedTuple):
    """The place of the bytes in the archive; link: the member that has the bytes instead."""

    offset: int
    size: int
    link: str = ""


class Archive:
    """A tar file that stays open; compressed ones are unpacked first, since they can only be read forward."""

    def __init__(self, path: str, fd: int, members: dict[str, Member]) -> None:
        self.path = path
        self._fd = fd
        self._members = members

    def has(self, name: str) -> bool:
        return name in self._members

    def open(self, name: str) -> io.BufferedReader:
        for _ in range(LINKS_LIMIT):
            member = self._members.get(name)
            if member is None:
                break
            if not member.link:
                return io.BufferedReader(_Slice(self._fd, member.offset, member.size), CHUNK)
            name = member.link
        raise FileNotFoundError(ENOENT, "no such file in the archive", f"{self.path}: {name}")


@contextlib.contextmanager
def opened_archive(path: str, scratch: str, what: str = "") -> Iterator[Archive]:
    """scratch: a directory for unpacking a compressed archive, as long as it is open. what: the archive's name in
    errors, if not its path.
    """
    what = what or path
    with archive_errors(what), contextlib.ExitStack() as stack:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FatalError(f"{what} is not a file", hint="for a directory with an image layout, write oci:DIR")
        file: io.BufferedReader = stack.enter_context(open(path, "rb"))
        if compression_of(file):
            plain = stack.enter_context(tempfile.TemporaryFile(dir=scratch))
            shutil.copyfileobj(decompressed(file), plain, CHUNK)
            plain.seek(0)
            members = _index(what, plain)
            fd = plain.fileno()
        else:
            members = _index(what, file)
            fd = file.fileno()
        yield Archive(what, fd, members)


def _index(what: str, file: IO[bytes]) -> dict[str, Member]:
    members: dict[str, Member] = {}
    with open_tar(file, seekable=True) as tar:
        for entry in entries(tar):
            name = posixpath.normpath(entry.name).lstrip("/")
            if entry.isreg() and not entry.issparse():
                members[name] = Member(entry.offset_data, entry.size)
            elif entry.issym():  # old archives of `docker save` link layers that are alike
                target = posixpath.normpath(posixpath.join(posixpath.dirname(name), entry.linkname))
                members[name] = Member(0, 0, target)
            elif entry.islnk():
                members[name] = Member(0, 0, posixpath.normpath(entry.linkname).lstrip("/"))
            if len(members) > MEMBERS_LIMIT:
                raise FatalError(
                    f"{what} has too many files for an image", hint="for a root file system, write rootfs:DIR"
                )
    return members


class _Slice(io.RawIOBase):
    """Part of a file, read with pread(2), so that any number of them share one descriptor."""

    def __init__(self, fd: int, offset: int, size: int) -> None:
        self._fd = fd
        self._position = offset
        self._end = offset + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # RawIOBase gives any buffer
        wanted = min(len(view), self._end - self._position)
        count = os.preadv(self._fd, [view[:wanted]], self._position) if wanted else 0
        if wanted and not count:
            raise EOFError("the archive is shorter than its headers say")
        self._position += count
        return count
