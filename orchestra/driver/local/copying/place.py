"""Where a copy begins and where it goes: the rules of ``docker cp`` for directories, slashes and links.

Source: documentation of ``docker cp``, "Description". A link at the end of a source path is copied itself, unless a
slash follows it or the options say otherwise; a link at the end of a destination is followed.
"""

from __future__ import annotations

import os
import posixpath
import stat
from errno import ELOOP, ENOENT, ENOTDIR
from typing import TYPE_CHECKING, Protocol

from orchestra.errors import UserError
from orchestra.linux.mounts.resolve import (
    MAX_SYMBOLIC_LINKS,
    RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    open_in_root,
    open_with,
)
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.driver.local.copying.owners import Owners

STRICT = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS


class World(Protocol):
    """A file system that paths are resolved in. owners: None if its files have the owners that this process sees."""

    @property
    def owners(self) -> Owners | None: ...

    def open(self, path: str, flags: int) -> int:
        """A descriptor, close-on-exec."""
        ...

    def open_below(self, base: str, fd: int, path: str, flags: int) -> int:
        """Open what an entry of a copy names below ``base``, which ``fd`` refers to."""
        ...

    def name(self, path: str) -> str:
        """For messages."""
        ...


class Host:
    """This machine. directory: for relative paths. Below a destination no link is followed."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    owners = None

    def open(self, path: str, flags: int) -> int:
        return os.open(os.path.join(self._directory, path), flags | os.O_CLOEXEC)

    def open_below(self, base: str, fd: int, path: str, flags: int) -> int:
        return open_with(fd, path, flags, STRICT)

    def name(self, path: str) -> str:
        return path


class Inside:
    """A container's root. Links are followed as in the container, and cannot lead out of it."""

    def __init__(self, root: int, container: str, owners: Owners | None = None) -> None:
        self._root = root
        self._container = container
        self.owners = owners

    def open(self, path: str, flags: int) -> int:
        return open_in_root(self._root, f"/{path}", flags)

    def open_below(self, base: str, fd: int, path: str, flags: int) -> int:
        return open_in_root(self._root, f"/{base}/{path}", flags)

    def name(self, path: str) -> str:
        return f"{self._container}:{path}"


class Origin(NamedTuple):
    """fd: O_PATH, of the source. name: the last part of its path. only_content: copy what is in the directory."""

    fd: int
    name: str
    is_directory: bool
    only_content: bool


class Destination(NamedTuple):
    """base: an existing directory. top: the name of the copy's top in it; empty for the directory itself.

    exists: whether there is an entry of that name.
    """

    world: World
    base: str
    top: str
    exists: bool


def find_origin(world: World, path: str, *, follow: bool) -> Origin:
    """Raises UserError."""
    is_marked = _is_marked(path)
    flags = os.O_PATH if follow or is_marked else os.O_PATH | os.O_NOFOLLOW
    try:
        fd = world.open(path, flags)
    except OSError as error:
        raise _refusal(error, world, path) from error
    is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
    if is_marked and not is_directory:
        os.close(fd)
        raise UserError(f"{world.name(path)} is not a directory", hint="leave out the slash at its end")
    name = posixpath.basename(posixpath.normpath(path))
    only_content = path.endswith("/.") or path == "." or name in ("", ".", "..")
    return Origin(fd, name, is_directory, only_content)


def find_destination(world: World, path: str, origin: Origin) -> Destination:
    """Raises UserError if this origin cannot be copied there."""
    found = _status(world, path)
    if found is not None and stat.S_ISDIR(found.st_mode):
        if origin.only_content:
            return Destination(world, path, "", exists=True)
        below = _status(world, f"{path}/{origin.name}", follow=False)
        return Destination(world, path, origin.name, exists=below is not None)
    name = world.name(path)
    if found is not None:
        if origin.is_directory:
            raise UserError(f"{name} is not a directory, so a directory cannot be copied there")
        if _is_marked(path):
            raise UserError(f"{name} is not a directory", hint="leave out the slash at its end")
    elif _is_marked(path) and not origin.is_directory:
        raise UserError(f"{name} does not exist", hint="make the directory first, or leave out the slash at its end")
    place = without_links(world, path.rstrip("/").removesuffix("/.") or "/")
    base, top = posixpath.split(place)
    if top in ("", ".", ".."):
        raise UserError(f"{name} does not exist", hint="give a directory that exists")
    above = _status(world, base or ".")
    if above is None or not stat.S_ISDIR(above.st_mode):
        problem = "does not exist" if above is None else "is not a directory"
        raise UserError(f"{world.name(base or '.')} {problem}", hint="make the directory first: cp makes no parents")
    return Destination(world, base or ".", top, exists=found is not None)


def find_directory(world: World, path: str) -> Destination:
    """Where an archive is unpacked. Raises UserError."""
    found = _status(world, path)
    if found is None or not stat.S_ISDIR(found.st_mode):
        problem = "does not exist" if found is None else "is not a directory"
        raise UserError(f"{world.name(path)} {problem}", hint="an archive is unpacked into an existing directory")
    return Destination(world, path, "", exists=True)


def without_links(world: World, path: str) -> str:
    """What a link at the end of the path leads to, even if that does not exist yet."""
    for _ in range(MAX_SYMBOLIC_LINKS):
        try:
            fd = world.open(path, os.O_PATH | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno == ENOENT:
                return path
            raise _refusal(error, world, path) from error
        try:
            if not stat.S_ISLNK(os.fstat(fd).st_mode):
                return path
            path = posixpath.join(posixpath.dirname(path), os.readlink("", dir_fd=fd)).rstrip("/")
        finally:
            os.close(fd)
    raise UserError(f"{world.name(path)}: {os.strerror(ELOOP)}")


def _status(world: World, path: str, *, follow: bool = True) -> os.stat_result | None:
    try:
        fd = world.open(path.rstrip("/") or "/", os.O_PATH if follow else os.O_PATH | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in (ENOENT, ENOTDIR):
            return None
        raise _refusal(error, world, path) from error
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def _is_marked(path: str) -> bool:
    return path.endswith(("/", "/."))


def _refusal(error: OSError, world: World, path: str) -> UserError:
    if error.errno == ENOENT:
        return UserError(f"{world.name(path)} does not exist", hint=_nearest(world, path))
    if error.errno == ENOTDIR:
        return UserError(f"{world.name(path)} is not a directory, or one of its parents is not")
    return UserError(f"{world.name(path)}: {error.strerror}")


def _nearest(world: World, path: str) -> str:
    """An existing name that is similar."""
    from difflib import get_close_matches

    directory, name = posixpath.split(path.rstrip("/"))
    try:
        fd = world.open(directory or ".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return ""
    try:
        near: Sequence[str] = get_close_matches(name, os.listdir(fd), 1)
    finally:
        os.close(fd)
    return f"did you mean {world.name(posixpath.join(directory, near[0]))}?" if near else ""
