"""Some paths of a directory of the host, made the same in a container: copied as ``cp`` does, or removed."""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from errno import EBUSY, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTEMPTY
from typing import TYPE_CHECKING

from orchestra.driver.local.copying.item import Item
from orchestra.driver.local.copying.owners import owners_of
from orchestra.driver.local.copying.place import STRICT, Destination, Inside
from orchestra.driver.local.copying.reading import DIRECTORY, Reader
from orchestra.driver.local.copying.root import opened_root
from orchestra.driver.local.copying.writing import Ownership, Writer, entry_status, is_mount, write
from orchestra.linux.mounts.resolve import open_with
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence


NOT_THERE = (ENOENT, ENOTDIR, ELOOP)
DEEPEST = 200
"""Levels of directories to remove: what a container makes deeper is not the copy of anything."""


class Mirroring(Record):
    """source: a path of the host; target: an absolute path in the container, for it.

    removed, changed: paths below the source, empty for itself; a directory stands only for itself. covers: whether
    a path below it may be removed in the container.
    """

    source: str
    target: str
    removed: Collection[str]
    changed: Collection[str]
    covers: Callable[[str], bool]


def mirror(name: str, directory: str, wanted: Sequence[Mirroring], warn: Callable[[str], None]) -> None:
    """Into the container in ``directory``, whether it runs or not. warn: called for everything that is left out.

    Raises UserError if something cannot be written, and FileNotFoundError if there is no container.
    """
    with opened_root(directory) as root:
        world = Inside(root, name, owners_of(directory))
        for one in wanted:
            mirror_into(world, one, warn)


def mirror_into(world: Inside, wanted: Mirroring, warn: Callable[[str], None]) -> None:
    """Into a container whose root is open. Raises UserError if something cannot be written."""
    _Mirror(world, wanted, warn).run()


class _Mirror:
    def __init__(self, world: Inside, wanted: Mirroring, warn: Callable[[str], None]) -> None:
        self._world = world
        self._wanted = wanted
        self._warn = warn

    def run(self) -> None:
        wanted = self._wanted
        for path in sorted(wanted.removed):
            self._remove(path)
        if not wanted.changed:
            return
        destination = Destination(self._world, "/", wanted.target.strip("/"), exists=True)
        writer = Writer(destination, Ownership(kept=False, trusted=True), self._warn)
        try:
            write(self._items(), [writer])
        finally:
            writer.close()

    def _items(self) -> Iterator[Item]:
        """What is there of the changed paths by now; a later notice tells of what is gone."""
        try:
            top = os.open(self._wanted.source, os.O_PATH | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in NOT_THERE:
                return
            raise
        try:
            for path in sorted(self._wanted.changed):
                yield from self._item(top, path)
        finally:
            os.close(top)

    def _item(self, top: int, path: str) -> Iterator[Item]:
        try:
            found = open_with(top, path, os.O_PATH | os.O_NOFOLLOW, STRICT) if path else os.dup(top)
        except OSError as error:
            if error.errno in NOT_THERE:
                return
            raise
        try:
            self._make_way(path, is_directory=stat.S_ISDIR(os.fstat(found).st_mode))
            for entry, content in Reader(found).top():
                entry.name = path
                yield Item(entry, content)
        except PermissionError as error:
            self._warn(f"{posixpath.join(self._wanted.source, path)}: not copied: {error.strerror}")
        finally:
            os.close(found)

    def _make_way(self, path: str, *, is_directory: bool) -> None:
        """Remove a directory where a file is to be, and the other way round."""
        with self._parent(path) as (parent, name):
            status = None if parent is None or not name else entry_status(parent, name)
            if parent is None or status is None:
                return
            # A link at the target's own path is followed, as by `cp`.
            is_link_to_top = not path and stat.S_ISLNK(status.st_mode)
            if stat.S_ISDIR(status.st_mode) != is_directory and not is_link_to_top:
                self._take_away(parent, name, path)

    def _remove(self, path: str) -> None:
        with self._parent(path) as (parent, name):
            if parent is not None:
                self._take_away(parent, name or ".", path)

    @contextlib.contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int | None, str]]:
        """The directory that has the path as an entry, if there is one, and its name there: none for the root.

        Below the target no link is followed: one that leads elsewhere must not lead to a removal there.
        """
        with contextlib.ExitStack() as stack:
            above, name = posixpath.split(path or self._wanted.target)
            try:
                fd = self._world.open(self._wanted.target if path else above, os.O_PATH | os.O_DIRECTORY)
                stack.callback(os.close, fd)
                if path and above:
                    fd = open_with(fd, above, os.O_PATH | os.O_DIRECTORY, STRICT)
                    stack.callback(os.close, fd)
            except OSError as error:
                if error.errno not in NOT_THERE:
                    raise
                yield None, name
            else:
                yield fd, name

    def _take_away(self, parent: int, name: str, path: str) -> None:
        """Remove an entry and what is covered below it. Mounts stay, and so do the directories of what stays."""
        try:
            status = entry_status(parent, name)
            if status is None:
                return
            if name != "." and is_mount(parent, name):
                raise OSError(EBUSY, os.strerror(EBUSY))
            if not stat.S_ISDIR(status.st_mode):
                if self._wanted.covers(path):
                    os.unlink(name, dir_fd=parent)
                return
            self._empty(parent, name, path)
            if path and self._wanted.covers(path):
                os.rmdir(name, dir_fd=parent)
        except OSError as error:
            if error.errno not in (*NOT_THERE, ENOTEMPTY):
                self._warn(f"{self._about(path)}: not removed: {error.strerror}")

    def _empty(self, parent: int, name: str, path: str) -> None:
        if path.count("/") > DEEPEST:
            raise OSError(ENAMETOOLONG, os.strerror(ENAMETOOLONG))
        fd = os.open(name, DIRECTORY, dir_fd=parent)
        try:
            for entry in os.listdir(fd):
                self._take_away(fd, entry, f"{path}/{entry}" if path else entry)
        finally:
            os.close(fd)

    def _about(self, path: str) -> str:
        return self._world.name(posixpath.join(self._wanted.target, path))
