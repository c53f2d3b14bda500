"""Digests of the files that steps take from a context: of names, types, modes and contents, never of times.

The digest of a file's content is remembered for as long as its status stays the same, so that only what has changed is
read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import posixpath
import stat
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestra.driver.local.build.selection import Selection
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.source import SETTLED
from orchestra.linux import private_files
from orchestra.linux.mounts.resolve import open_in_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestra.build.ignore import Ignore
    from orchestra.driver.local.build.selection import Match, Place
    from orchestra.home import Home

CHUNK = 1 << 20
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _Level(NamedTuple):
    fd: int
    path: str
    names: list[tuple[str, os.stat_result]]


class Contents:
    """Contents of the files below one directory of the host. Not for two threads at once.

    path: of that directory; what is remembered of it is stored by ``store``.
    """

    def __init__(self, home: Home, path: str) -> None:
        name = hashlib.sha256(os.path.realpath(path).encode(errors="surrogateescape")).hexdigest()
        self._path = f"{home.builds}/contents/{name}.json"
        self._known: dict[str, list[Any]] = {}
        self._stored = 0
        with contextlib.suppress(OSError, ValueError), open(self._path, "rb") as file:
            self._known = json.load(file)
        self._used: dict[str, list[Any]] = {}
        self._changed = False

    def store(self) -> None:
        """Remember what was read. Of several builders, one remembers."""
        if self._changed:
            with file_errors("the build cache"), contextlib.suppress(FileNotFoundError):
                private_files.make_directories(os.path.dirname(self._path))
                private_files.store(self._path, json.dumps({**self._known, **self._used}).encode())

    def digest(self, place: Place, matches: Iterable[Match], exclude: Ignore) -> str:
        """Of all that the matches lead to, in hexadecimal digits."""
        hashed = hashlib.sha256()
        for match in matches:
            hashed.update(f"{match.above}\0{match.name}\0".encode(errors="surrogateescape"))
            for row in self._rows(place, match, exclude):
                hashed.update(b"\0".join((*row, b"\n")))
        return hashed.hexdigest()

    def _rows(self, place: Place, match: Match, exclude: Ignore) -> Iterator[tuple[bytes, ...]]:
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
                if is_directory:
                    levels.append(_level(os.open(name, DIRECTORY, dir_fd=fd), here))
                if not selection.passes_over(here):
                    yield self._row(here, fd, name, status)
        finally:
            for level in levels:
                os.close(level.fd)

    def _row(self, path: str, parent: int, name: str, status: os.stat_result) -> tuple[bytes, ...]:
        kind = stat.S_IFMT(status.st_mode)
        row = (os.fsencode(path), oct(status.st_mode).encode())
        if kind == stat.S_IFREG:
            return (*row, self._content(parent, name, status).encode())
        if kind == stat.S_IFLNK:
            return (*row, os.fsencode(os.readlink(name, dir_fd=parent)))
        return row

    def _content(self, parent: int, name: str, status: os.stat_result) -> str:
        key = f"{status.st_dev}:{status.st_ino}"
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        known = self._known.get(key)
        if known is not None and known[:3] == stamp:
            return str(known[3])
        now = time.time_ns()
        fd = os.open(name, FILE, dir_fd=parent)
        try:
            with os.fdopen(fd, "rb", closefd=False) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        finally:
            os.close(fd)
        # ctime ticks: a change in the same tick as one just seen would not show.
        if now - status.st_ctime_ns > SETTLED:
            self._used[key] = self._known[key] = [*stamp, digest]
            self._changed = True
        return digest


def _level(fd: int, path: str) -> _Level:
    with os.scandir(fd) as entries:
        found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    return _Level(fd, path, sorted(found, key=lambda row: row[0], reverse=True))
