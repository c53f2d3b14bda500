"""Waiting for changes of files by path, also of files that are missing, replaced, behind symbolic links, or moved away
with the directories above them.

Notices only say that it is time to look again. A file counts as changed when it is closed by its writer, not before,
so that an editor's half-written file is rarely looked at; or when another one takes its name.
"""

from __future__ import annotations

import os
import select
import stat
from contextlib import suppress

from orchestra.linux.inotify import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_MASK_ADD,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    Inotify,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

OF_DIRECTORIES = IN_DELETE_SELF | IN_MOVE_SELF
OF_ENTRIES = IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
MOST_LINKS = 40
"""As the kernel has it: path_resolution(7)."""
QUIET = 20
"""Milliseconds without another notice after which it is time to look."""
LONGEST = 500
"""Milliseconds after which it is time all the same."""


class Watch:
    """What happens to these absolute paths from now on. Use ``with``."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Raises OSError if the kernel allows no more watches."""
        self.paths = frozenset(paths)
        self._inotify = Inotify()
        self._names: dict[int, set[str]] = {}
        """By watch: the entries of the directory that matter."""
        spots: dict[str, set[str]] = {}
        for path in self.paths:
            find_spots(path, spots)
        for directory, names in spots.items():
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):  # it is gone: what is above tells
                watch = self._inotify.add(directory, OF_DIRECTORIES | (OF_ENTRIES if names else 0) | IN_MASK_ADD)
                self._names.setdefault(watch, set()).update(names)

    def wait(self, end: int) -> bool:
        """Whether something has changed; False once ``end`` is at end of file."""
        poll = select.poll()
        poll.register(self._inotify, select.POLLIN)
        poll.register(end, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if end in ready and not os.read(end, 1):
                return False
            if self._is_concerned():
                break
        rest = LONGEST
        poll.unregister(end)
        while rest > 0 and poll.poll(QUIET):
            self._inotify.read()
            rest -= QUIET
        return True

    def _is_concerned(self) -> bool:
        return any(not each.name or each.name in self._names.get(each.watch, ()) for each in self._inotify.read())

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._inotify.close()


def find_spots(path: str, spots: dict[str, set[str]]) -> None:
    """Add each directory that leads to the path, and the names of those entries of it that matter: the file itself,
    symbolic links, and the first component that is missing.
    """
    current, links = "/", 0
    rest = [part for part in path.split("/") if part]
    while rest:
        name = rest.pop(0)
        names = spots.setdefault(current, set())
        if name in (".", ".."):
            current = os.path.dirname(current) if name == ".." else current
            continue
        full = os.path.join(current, name)
        try:
            mode = os.lstat(full).st_mode
        except OSError:
            names.add(name)
            return
        if stat.S_ISLNK(mode):
            names.add(name)
            links += 1
            try:
                target = os.readlink(full)
            except OSError:
                return
            if links > MOST_LINKS:
                return
            current = "/" if target.startswith("/") else current
            rest = [part for part in target.split("/") if part] + rest
        elif stat.S_ISDIR(mode):
            current = full
        else:
            names.add(name)
            return
    spots.setdefault(current, set())
