"""COPY and ADD: files of one tree into another. Source: the Dockerfile reference, "COPY" and "ADD"."""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
import tarfile
from errno import ELOOP, ENOENT, ENOTDIR
from typing import TYPE_CHECKING

from orchestra.build.ignore import Ignore
from orchestra.driver.local.build.mode import change_mode
from orchestra.driver.local.build.selection import Selection, find_matches
from orchestra.driver.local.copying.archive import read_archive
from orchestra.driver.local.copying.place import Destination, Inside, without_links
from orchestra.driver.local.copying.reading import Reader
from orchestra.driver.local.copying.writing import Ownership, Writer, write
from orchestra.driver.local.image.layers.compression import decompressed
from orchestra.driver.local.image.layers.tar import archive_errors
from orchestra.errors import FatalError, UserError
from orchestra.linux.mounts.resolve import ensure_in_root, open_in_root
from orchestra.record import Record, replace

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

    from orchestra.build.step import Copy
    from orchestra.driver.local.build.selection import Match, Place
    from orchestra.driver.local.copying.item import Item

SKIPPED = (tarfile.CHRTYPE, tarfile.BLKTYPE)
"""Never taken from a context: the caller may not have made them."""


class Owners(Record):
    """owner: uid and gid of everything that is copied, if others are asked for than those of the source. usual: owners
    of what comes from a directory of the host, whose own are not taken over.
    """

    owner: tuple[int, int] | None = None
    mode: str | None = None
    usual: tuple[int, int] | None = None

    def adapt(self, item: Item) -> Item:
        entry = item.entry
        if (owner := self.owner or self.usual) is not None:
            entry.uid, entry.gid = owner
        if self.mode is not None and not entry.issym() and not entry.islnk():
            entry.mode = change_mode(self.mode, entry.mode, is_directory=entry.isdir())
        return item

    @property
    def of_directories(self) -> tuple[int, int]:
        """Of those that are made on the way to the destination."""
        return self.owner or (0, 0)


def copy_files(step: Copy, place: Place, target: int, owners: Owners, *, from_context: bool) -> None:
    """target: O_PATH, the root of the tree to change. Raises UserError or DriverError."""
    exclude = Ignore(step.exclude)
    matches = find_matches(place, step.paths, parents=step.parents)
    is_directory = (
        len(matches) > 1 or len(step.paths) > 1 or step.destination.endswith("/") or _is_directory(target, step)
    )
    for match in matches:
        selection = Selection(place, match, exclude)
        if selection.leaves_out("", is_directory=match.is_directory):
            continue
        fd = open_in_root(place.root, match.path or "/", os.O_PATH)
        try:
            if step.unpack and not match.is_directory and (archive := _archive_of(fd)):
                with archive:
                    base = _make(target, step.destination, owners)
                    items = map(replace(owners, usual=None).adapt, read_archive(archive, match.name))
                    _write(target, base, "", items)
                continue
            items = map(owners.adapt, _items(selection, fd, from_context=from_context))
            if step.parents:
                _copy_parents(place, match, target, step.destination, owners)
                base = posixpath.join(step.destination, match.above)
            elif match.is_directory or is_directory:
                base = step.destination
            else:
                base = posixpath.dirname(step.destination)
            if match.is_directory and not step.parents:
                _write(target, _make(target, base, owners), "", items)
            elif step.parents or is_directory:
                _write(target, _make(target, base, owners), match.name, items)
            else:
                _write(target, _make(target, base, owners), posixpath.basename(step.destination), items)
        finally:
            os.close(fd)


def _is_directory(target: int, step: Copy) -> bool:
    try:
        fd = open_in_root(target, step.destination, os.O_PATH)
    except OSError as error:
        if error.errno in (ENOENT, ENOTDIR, ELOOP):
            return False
        raise
    try:
        return stat.S_ISDIR(os.fstat(fd).st_mode)
    finally:
        os.close(fd)


def _items(selection: Selection, fd: int, *, from_context: bool) -> Iterator[Item]:
    """What is copied of one match. Directories that are left out, but not all in them, come only before what does."""

    def is_left_out(name: str, kind: bytes) -> bool:
        is_skipped = from_context and kind in SKIPPED
        return is_skipped or selection.leaves_out(name, is_directory=kind == tarfile.DIRTYPE)

    held: list[Item] = []
    for item in Reader(fd, leave_out=is_left_out).walk():
        name = item.entry.name
        while held and not name.startswith(f"{held[-1].entry.name}/"):
            held.pop()
        if item.entry.isdir() and name and selection.passes_over(name):
            held.append(item)
            continue
        yield from held
        held.clear()
        yield item


def _copy_parents(place: Place, match: Match, target: int, destination: str, owners: Owners) -> None:
    """``--parents``: the directories above it, with the attributes that they have in the source."""
    parts = match.above.split("/")
    for number, path in enumerate(match.directories_above):
        try:
            fd = open_in_root(place.root, path, os.O_PATH | os.O_DIRECTORY)
        except OSError as error:
            if error.errno in (ENOENT, ENOTDIR):
                return  # on the other side of a symbolic link: made with ordinary attributes
            raise
        try:
            items = [owners.adapt(item) for item in Reader(fd, leave_out=lambda _path, _kind: True).walk()]
            base = _make(target, posixpath.join(destination, *parts[:number]), owners)
            _write(target, base, parts[number], iter(items))
        finally:
            os.close(fd)


def _make(target: int, path: str, owners: Owners) -> str:
    """The path of a directory, which is made with those above it, if needed."""
    make_directories(target, path, *owners.of_directories)
    return path


def make_directories(root: int, path: str, uid: int = 0, gid: int = 0) -> None:
    """Make a directory and those above it, within the root. Raises UserError."""
    done = ""
    for part in [part for part in posixpath.normpath(f"/{path}").split("/") if part]:
        done = f"{done}/{part}"
        try:
            os.close(open_in_root(root, done, os.O_PATH | os.O_DIRECTORY))
        except OSError as error:
            if error.errno == ENOTDIR:
                raise UserError(f"{done} is not a directory in the image") from error
            if error.errno != ENOENT:
                raise UserError(f"{done} cannot be made in the image: {error.strerror}") from error
            found = ensure_in_root(root, done, directory=True)
            try:
                fd = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            finally:
                os.close(found)
            try:
                os.fchown(fd, uid, gid)
                os.fchmod(fd, 0o755)
            finally:
                os.close(fd)


def _write(target: int, base: str, top: str, items: Iterator[Item]) -> None:
    world = Inside(target, "image")
    exists = True
    if top:
        # A symbolic link that is at the destination is followed, to wherever it leads in the image.
        base, top = posixpath.split(without_links(world, posixpath.join(base, top)))
        make_directories(target, base)
        try:
            os.close(open_in_root(target, posixpath.join(base, top), os.O_PATH | os.O_NOFOLLOW))
        except OSError as error:
            if error.errno != ENOENT:
                raise
            exists = False
    writer = Writer(Destination(world, base, top, exists), Ownership(kept=True, trusted=True), _ignore_warning)
    try:
        write(items, [writer])
    finally:
        writer.close()


def _ignore_warning(_text: str) -> None:
    """Owners are kept, so there is nothing to warn of."""


def _archive_of(fd: int) -> io.BufferedReader | None:
    """The content of a file that is a tar archive, compressed or not."""
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(open(f"/proc/self/fd/{fd}", "rb"))
        try:
            with archive_errors("the file"):
                tarfile.TarInfo.frombuf(decompressed(stream).read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
        except (FatalError, tarfile.HeaderError):
            return None
        stream.seek(0)
        stack.pop_all()
        return stream
