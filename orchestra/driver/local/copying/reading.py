"""A file, or a directory with all that is in it, as items.

Each directory is opened by its name in the one above, without following links, and each file as the type it was found
to be: a file that is swapped for a link, a FIFO or a device meanwhile is never opened as such. Devices are not opened
at all, and sockets are left out, since an archive cannot hold them.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
from typing import TYPE_CHECKING

from orchestra.driver.local.copying.attributes import attributes_of
from orchestra.driver.local.copying.item import BytesContent, FileContent, Item
from orchestra.driver.local.image.layers.attributes import XATTR
from orchestra.linux.mounts.procfs import file_system_kind
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.driver.local.copying.owners import Owners

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FOUND = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
VIRTUAL = frozenset((0x9FA0, 0x62656572, 0x27E0EB, 0x63677270, 0x1CD1, 0x19800202, 0x64626720, 0x74726163, 0xCAFE4A11))
"""``f_type`` of proc, sysfs, cgroup, cgroup2, devpts, mqueue, debugfs, tracefs and bpf: no real files."""
UNSIZED_LIMIT = 4 << 20
"""Bytes to read from a file of procfs, which has no size. An archive needs the size beforehand."""
KINDS = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
}


class _Level(NamedTuple):
    """A directory on the way down. names: those still to be read, the next one last."""

    fd: int
    path: str
    names: list[str]


class Reader:
    """Reads a file with several names once: the other names become hard links to the first."""

    def __init__(
        self,
        top: int,
        *,
        with_content: bool = True,
        leave_out: Callable[[str, bytes], bool] | None = None,
        owners: Owners | None = None,
    ) -> None:
        """top: O_PATH, of what to read; it stays open. owners: of the container that it belongs to.

        leave_out: whether an entry below it, of this path and type (``tarfile.REGTYPE``, …), is left out, with all that
        is in it.
        """
        self._top = top
        self._with_content = with_content
        self._leave_out = leave_out
        self._owners = owners
        self._seen: dict[tuple[int, int], str] = {}

    def walk(self) -> Iterator[Item]:
        """The top first, called ''; a directory before its entries. Use up each item before the next."""
        item, below = self._read(self._top, "")
        if item is None:
            return
        levels: list[_Level] = [] if below is None else [_level(below, "")]
        try:
            yield from self._lent(item)
            while levels:
                level = levels[-1]
                if not level.names:
                    os.close(levels.pop().fd)
                    continue
                name = level.names.pop()
                path = f"{level.path}/{name}" if level.path else name
                try:
                    found = os.open(name, FOUND, dir_fd=level.fd)
                except FileNotFoundError:
                    continue  # removed meanwhile
                try:
                    item, below = self._read(found, path, os.fstat(level.fd).st_dev)
                finally:
                    os.close(found)
                if below is not None:
                    levels.append(_level(below, path))
                if item is not None:
                    yield from self._lent(item)
        finally:
            for level in levels:
                os.close(level.fd)

    def top(self) -> Iterator[Item]:
        """Only the top itself, called ''; nothing for a socket."""
        item, below = self._read(self._top, "")
        if below is not None:
            os.close(below)
        if item is not None:
            yield from self._lent(item)

    @staticmethod
    def _lent(item: Item) -> Iterator[Item]:
        try:
            yield item
        finally:
            if isinstance(item.content, FileContent):
                item.content.close()

    def _read(self, found: int, path: str, device: int | None = None) -> tuple[Item | None, int | None]:
        """The item and, for a directory to be entered, a descriptor. device: of the directory that contains it."""
        status = os.fstat(found)
        kind = KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None or (path and self._leave_out is not None and self._leave_out(path, kind)):
            return None, None
        entry = _entry(path, kind, status)
        if self._owners is not None:
            self._owners.show_inside(entry)
        if kind == tarfile.SYMTYPE:
            entry.linkname = os.readlink("", dir_fd=found)
        elif kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
            entry.devmajor, entry.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
        if kind != tarfile.DIRTYPE and status.st_nlink > 1:
            first = self._seen.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                entry.type, entry.linkname, entry.size = tarfile.LNKTYPE, first, 0
                return Item(entry), None
        if kind not in (tarfile.REGTYPE, tarfile.DIRTYPE):
            return Item(entry), None
        if not self._with_content and kind == tarfile.REGTYPE:
            return Item(entry), None
        # A file that was opened with O_PATH is opened as what it is, whatever its name means by now.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(f"/proc/self/fd/{found}", flags)
        if self._with_content:
            _add_attributes(entry, fd)
        if kind == tarfile.REGTYPE:
            return self._read_file(entry, fd), None
        if device not in (None, status.st_dev) and file_system_kind(fd) in VIRTUAL:
            os.close(fd)
            return Item(entry), None
        return Item(entry), fd

    @staticmethod
    def _read_file(entry: tarfile.TarInfo, fd: int) -> Item:
        if entry.size:
            return Item(entry, FileContent(fd, entry.size))
        try:
            data = b""
            with contextlib.suppress(OSError):  # a file of the kernel that cannot be read now
                while len(data) < UNSIZED_LIMIT and (chunk := os.read(fd, UNSIZED_LIMIT - len(data))):
                    data += chunk
        finally:
            os.close(fd)
        entry.size = len(data)
        return Item(entry, BytesContent(data))


def _level(fd: int, path: str) -> _Level:
    return _Level(fd, path, sorted(os.listdir(fd), reverse=True))


def _entry(path: str, kind: bytes, status: os.stat_result) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type = kind
    entry.mode = stat.S_IMODE(status.st_mode)
    entry.uid, entry.gid = status.st_uid, status.st_gid
    entry.size = status.st_size if kind == tarfile.REGTYPE else 0
    seconds, rest = divmod(abs(status.st_mtime_ns), 1_000_000_000)
    entry.mtime = status.st_mtime_ns // 1_000_000_000
    if rest:
        sign = "-" if status.st_mtime_ns < 0 else ""
        entry.pax_headers = {"mtime": f"{sign}{seconds}.{rest:09}"}
    return entry


def _add_attributes(entry: tarfile.TarInfo, fd: int) -> None:
    texts = {f"{XATTR}{name}": value.decode("utf-8", "surrogateescape") for name, value in attributes_of(fd).items()}
    if texts:
        entry.pax_headers = {**entry.pax_headers, **texts}
