"""Looking up one file in a stack of layers as a container would see it, without mounting anything.

The rules of merging are overlayfs' (kernel, Documentation/filesystems/overlayfs.rst): the topmost entry of a name
wins; directories merge until one is opaque or something else is in the way; a character device 0:0 hides the name.
"""

from __future__ import annotations

import contextlib
import os
import stat
from errno import ELOOP, ENODATA, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING

from orchestra.driver.local.image.failure import file_errors
from orchestra.errors import FatalError
from orchestra.home import is_rootless
from orchestra.linux.mounts.resolve import MAX_SYMBOLIC_LINKS, open_in_root
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

OVERLAY, OVERLAY_OF_USERS = "trusted.overlay.", "user.overlay."
"""How the attributes begin that overlayfs keeps; in a user namespace, where the first are out of reach, the second."""
LIMIT = 1 << 20


def opaque_attribute() -> str:
    """The attribute of a directory that hides all of lower layers."""
    return f"{OVERLAY_OF_USERS if is_rootless(os.environ) else OVERLAY}opaque"


class Found(NamedTuple):
    """One name in the merged tree. layers: those it is in; several for a merged directory.

    target: what it points to, for a symbolic link.
    """

    path: str
    layers: tuple[str, ...]
    status: os.stat_result
    target: str = ""

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)


def read_file(layers: Sequence[str], path: str, *, limit: int = LIMIT) -> bytes | None:
    """The content of a regular file, or None if there is none at ``path``.

    layers: topmost first. Symbolic links are followed within the tree. Raises FatalError for a file longer than
    ``limit``.
    """
    with file_errors(f"{path} of an image"):
        found = find(layers, path)
        if found is None or not stat.S_ISREG(found.status.st_mode):
            return None
        with _entry(found.layers[0], found.path) as entry, open(f"/proc/self/fd/{entry}", "rb") as file:
            data = file.read(limit + 1)
    if len(data) > limit:
        raise FatalError(f"{path} of an image is longer than {limit} bytes")
    return data


def read_start(found: Found, size: int) -> bytes:
    """The first bytes of a regular file."""
    with _entry(found.layers[0], found.path) as entry, open(f"/proc/self/fd/{entry}", "rb") as file:
        return file.read(size)


def list_names(found: Found) -> list[str]:
    """Of a directory, in order; some may be hidden again: ``find`` each."""
    names: set[str] = set()
    for layer in found.layers:
        with _entry(layer, found.path) as entry:
            names.update(os.listdir(f"/proc/self/fd/{entry}"))
    return sorted(names)


def has_access_list(found: Found) -> bool:
    """Whether more than its mode controls access to it (acl(5))."""
    with _entry(found.layers[0], found.path) as entry, contextlib.suppress(OSError):
        return bool(os.getxattr(f"/proc/self/fd/{entry}", "system.posix_acl_access"))
    return False


class CoveredError(Exception):
    """A mount of the container is on the way: the image does not show what is there."""


def find(layers: Sequence[str], path: str, *, follow: bool = True, covered: Collection[str] = ()) -> Found | None:
    """The entry at ``path``. follow: if it is a symbolic link, its target instead.

    covered: normalised paths that are not part of the image; CoveredError if the way leads to one of them.
    """
    root = Found("", tuple(layers), os.stat(layers[0]))
    here = [root]
    pending = _parts(path)
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            here = here[:-1] or [root]
            continue
        if not here[-1].is_directory:
            return None
        if f"{here[-1].path}/{part}" in covered:
            raise CoveredError(path)
        found = _child(here[-1], part)
        if found is None:
            return None
        if not found.target or not (follow or pending):
            here.append(found)
            continue
        links += 1
        if links > MAX_SYMBOLIC_LINKS:
            raise OSError(ELOOP, os.strerror(ELOOP), path)
        pending.extend(_parts(found.target))
        here = [root] if found.target.startswith("/") else here
    return here[-1]


def is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(fd: int) -> bool:
    """Whether the directory hides the content of lower layers. fd may be O_PATH."""
    try:
        return os.getxattr(f"/proc/self/fd/{fd}", opaque_attribute()) == b"y"
    except OSError as error:
        # Reading trusted.* without CAP_SYS_ADMIN is ENODATA; a file system without such attributes has no opaque
        # directories.
        if error.errno in (ENODATA, EOPNOTSUPP, EPERM):
            return False
        raise


def _child(parent: Found, name: str) -> Found | None:
    path = f"{parent.path}/{name}"
    found: Found | None = None
    for layer in parent.layers:
        try:
            with _entry(layer, path) as entry:
                status = os.fstat(entry)
                is_directory = stat.S_ISDIR(status.st_mode)
                if is_whiteout(status) or (found and not is_directory):
                    break
                if found is None:
                    target = os.readlink("", dir_fd=entry) if stat.S_ISLNK(status.st_mode) else ""
                    found = Found(path, (layer,), status, target)
                else:
                    found = found._replace(layers=(*found.layers, layer))
                if not is_directory or is_opaque(entry):
                    break
        except OSError as error:
            if error.errno not in (ENOENT, ENOTDIR):
                raise
    return found


@contextlib.contextmanager
def _entry(layer: str, path: str) -> Iterator[int]:
    root = os.open(layer, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        entry = open_in_root(root, path, os.O_PATH | os.O_NOFOLLOW)
    finally:
        os.close(root)
    try:
        yield entry
    finally:
        os.close(entry)


def _parts(path: str) -> list[str]:
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
