"""Digests of the files that steps take: of names, types, modes and contents, never of times.

The digest of a file of a context is remembered for as long as its status stays the same, so that only what has changed
is read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
import stat
import time
from errno import ENOENT, ENOTDIR
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.build.records import load_record, store_record
from orchestra.driver.local.build.selection import Selection
from orchestra.driver.local.copying.attributes import attributes_of
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.source import SETTLED
from orchestra.linux import private_files
from orchestra.linux.mounts.resolve import open_in_root
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestra.build.ignore import Ignore
    from orchestra.driver.local.build.selection import Match, Place
    from orchestra.home import Home

Row = tuple[bytes, ...]
CHUNK = 1 << 20
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _Level(NamedTuple):
    fd: int
    path: str
    names: list[tuple[str, os.stat_result]]


class Digest(NamedTuple):
    """files: in hexadecimal digits. moment: the same for two readings if no file was touched between them."""

    files: str
    moment: str


class Contents:
    """Contents of the files below one directory of the host, whose owners do not count. Not for two threads at once.

    path: of that directory; what is remembered of it is stored by ``store``.
    """

    owners_count = False

    def __init__(self, home: Home, path: str) -> None:
        name = hashlib.sha256(os.path.realpath(path).encode(errors="surrogateescape")).hexdigest()
        self._path = f"{home.builds}/contents/{name}.json"
        self._known: dict[str, list[Any]] = load_record(self._path) or {}
        self._used: dict[str, list[Any]] = {}
        self._changed = False

    def store(self) -> None:
        """Remember what was read. Of several builders, one remembers."""
        if self._changed:
            with file_errors("the build cache"), contextlib.suppress(FileNotFoundError):
                private_files.make_directories(os.path.dirname(self._path))
                store_record(self._path, {**self._known, **self._used})

    def digest(self, place: Place, matches: Iterable[Match], exclude: Ignore) -> Digest:
        """Of all that the matches lead to."""
        files, moment = hashlib.sha256(), hashlib.sha256()
        for match in matches:
            files.update(f"{match.above}\0{match.name}\0".encode(errors="surrogateescape"))
            for row, status in self._rows(place, match, exclude):
                files.update(b"\0".join((*row, b"\n")))
                if not stat.S_ISDIR(status.st_mode):
                    moment.update(repr((status.st_dev, status.st_ino, *_stamp(status))).encode())
        return Digest(files.hexdigest(), moment.hexdigest())

    def _rows(self, place: Place, match: Match, exclude: Ignore) -> Iterator[tuple[Row, os.stat_result]]:
        for path in match.directories_above:
            try:
                above = open_in_root(place.root, path, os.O_PATH | os.O_DIRECTORY)
            except OSError as error:
                if error.errno not in (ENOENT, ENOTDIR):
                    raise
                break
            try:
                yield self._row("", above, "", os.fstat(above))
            finally:
                os.close(above)
        selection = Selection(place, match, exclude)
        if not match.is_directory:
            if not selection.leaves_out("", is_directory=False):
                parent = open_in_root(place.root, posixpath.dirname(match.path) or "/", os.O_PATH | os.O_DIRECTORY)
                name = posixpath.basename(match.path)
                try:
                    yield self._row("", parent, name, os.stat(name, dir_fd=parent, follow_symlinks=False))
                finally:
                    os.close(parent)
            return
        top = open_in_root(place.root, match.path or "/", os.O_RDONLY | os.O_DIRECTORY)
        levels = [_level(top, "")]
        try:
            while levels:
                fd, path, names = levels[-1]
                if not names:
                    os.close(levels.pop().fd)
                    continue
                name, status = names.pop()
                here = f"{path}/{name}" if path else name
                is_directory = stat.S_ISDIR(status.st_mode)
                if selection.leaves_out(here, is_directory=is_directory):
                    continue
                row, status = self._row(here, fd, name, status)
                if is_directory:
                    below = os.open(name, DIRECTORY, dir_fd=fd)
                    levels.append(_level(below, here))
                    row = (*row, *_attributes(below))
                yield row, status
        finally:
            for level in levels:
                os.close(level.fd)

    def _row(self, path: str, parent: int, name: str, status: os.stat_result) -> tuple[Row, os.stat_result]:
        kind = stat.S_IFMT(status.st_mode)
        row: Row = (os.fsencode(path), oct(status.st_mode).encode())
        if self.owners_count:
            row = (*row, f"{status.st_uid}:{status.st_gid}".encode())
        if kind == stat.S_IFREG:
            row = (*row, self._content(parent, name, status).encode())
        elif kind == stat.S_IFLNK:
            row = (*row, os.fsencode(os.readlink(name, dir_fd=parent)))
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            row = (*row, str(status.st_rdev).encode())
        return row, status

    def _content(self, parent: int, name: str, status: os.stat_result) -> str:
        key = f"{status.st_dev}:{status.st_ino}"
        stamp = _stamp(status)
        known = self._known.get(key)
        if known is not None and known[:3] == stamp:
            return str(known[3])
        now = time.time_ns()
        digest = _read(parent, name, status.st_size)
        # ctime ticks: a change in the same tick as one just seen would not show.
        if now - status.st_ctime_ns > SETTLED:
            self._used[key] = self._known[key] = [*stamp, digest]
            self._changed = True
        return digest


class TreeContents(Contents):
    """Contents of the files of an image or a stage, with their owners. Nothing is remembered."""

    owners_count = True

    def __init__(self) -> None:
        pass

    def _content(self, parent: int, name: str, status: os.stat_result) -> str:
        return _read(parent, name, status.st_size)


def _stamp(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _read(parent: int, name: str, size: int) -> str:
    """The digest of a file's content and of the attributes that are copied with it. size: about that many bytes."""
    hashed = hashlib.sha256()
    fd = os.open(name, FILE, dir_fd=parent)
    try:
        # Small files, of which there are many, need no buffer of full size.
        while chunk := os.read(fd, min(size + 1, CHUNK)):
            hashed.update(chunk)
        return "".join((hashed.hexdigest(), *map(bytes.hex, _attributes(fd))))
    finally:
        os.close(fd)


def _attributes(fd: int) -> Row:
    """Those of a file that are copied with it, in one text; nothing if there are none."""
    found = attributes_of(fd)
    return (repr(sorted(found.items())).encode(),) if found else ()


def _level(fd: int, path: str) -> _Level:
    with os.scandir(fd) as entries:
        found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    return _Level(fd, path, sorted(found, key=lambda row: row[0], reverse=True))
