"""One file out of a stack of layers, as a container would see it, without mounting anything.

The rules of merging are overlayfs' (kernel, Documentation/filesystems/overlayfs.rst): the topmost entry of a name
wins; directories merge until one is opaque or something else is in the way; a character device 0:0 hides the name.
"""

from __future__ import annotations

import contextlib
import os
import stat
from errno import ELOOP, ENODATA, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING, NamedTuple

from orchestra.driver.local.image.failure import file_errors
from orchestra.errors import FatalError
from orchestra.linux.resolve import MAX_SYMBOLIC_LINKS, open_in_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OPAQUE = "trusted.overlay.opaque"
LIMIT = 1 << 20


class Found(NamedTuple):
    """One name in the merged tree. layers: those it is made of, several for a merged directory; mode: st_mode."""

    path: str
    layers: tuple[str, ...]
    mode: int


def read_file(layers: Sequence[str], path: str, *, limit: int = LIMIT) -> bytes | None:
    """The content of a regular file, or None when there is none at ``path``.

    layers: topmost first. Symbolic links are followed within the tree. Raises FatalError for a file longer than
    ``limit``.
    """
    with file_errors(f"{path} of an image"):
        found = find(layers, path)
        if found is None or not stat.S_ISREG(found.mode):
            return None
        with _entry(found.layers[0], found.path) as entry, open(f"/proc/self/fd/{entry}", "rb") as file:
            data = file.read(limit + 1)
    if len(data) > limit:
        raise FatalError(f"{path} of an image is longer than {limit} bytes")
    return data


def find(layers: Sequence[str], path: str) -> Found | None:
    """What is at ``path`` once all symbolic links are followed."""
    root = Found("", tuple(layers), stat.S_IFDIR)
    here = [root]
    pending = _parts(path)
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            here = here[:-1] or [root]
            continue
        if not stat.S_ISDIR(here[-1].mode):
            return None
        found = _child(here[-1], part)
        if found is None:
            return None
        if not stat.S_ISLNK(found.mode):
            here.append(found)
            continue
        links += 1
        if links > MAX_SYMBOLIC_LINKS:
            raise OSError(ELOOP, os.strerror(ELOOP), path)
        with _entry(found.layers[0], found.path) as entry:
            target = os.readlink("", dir_fd=entry)
        pending.extend(_parts(target))
        here = [root] if target.startswith("/") else here
    return here[-1]


def is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(fd: int) -> bool:
    """Whether the directory hides what lower layers have there. fd may be O_PATH."""
    try:
        return os.getxattr(f"/proc/self/fd/{fd}", OPAQUE) == b"y"
    except OSError as error:
        # Reading trusted.* without CAP_SYS_ADMIN is ENODATA; a file system without it has no opaque directories.
        if error.errno in (ENODATA, EOPNOTSUPP, EPERM):
            return False
        raise


def _child(parent: Found, name: str) -> Found | None:
    path = f"{parent.path}/{name}"
    merged: list[str] = []
    mode = 0
    for layer in parent.layers:
        try:
            with _entry(layer, path) as entry:
                status = os.fstat(entry)
                if is_whiteout(status):
                    break
                is_directory = stat.S_ISDIR(status.st_mode)
                if merged and not is_directory:
                    break
                mode = mode or status.st_mode
                merged.append(layer)
                if not is_directory or is_opaque(entry):
                    break
        except OSError as error:
            if error.errno not in (ENOENT, ENOTDIR):
                raise
    return Found(path, tuple(merged), mode) if merged else None


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
