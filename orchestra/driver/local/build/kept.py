"""When a directory of the build cache was last used, and how large it is: in a file beside it.

``DIRECTORY.used`` holds the bytes; the time of its last change is that of the last use.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from orchestra.driver.local.image.removal import remove_tree, tree_size
from orchestra.linux import private_files
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

USED = ".used"


class Kept(NamedTuple):
    """A directory or a file that can be removed by itself. used: Unix time. size: in bytes."""

    path: str
    used: float
    size: int

    def remove(self) -> None:
        remove_tree(self.path)
        remove_tree(f"{self.path}{USED}")


def note_use(path: str, *, changed: bool) -> None:
    """changed: it has another size now. It never fails: the size can be measured whenever it is needed."""
    with contextlib.suppress(OSError):
        if changed:
            private_files.store(f"{path}{USED}", str(tree_size(path)).encode())
        else:
            os.utime(f"{path}{USED}")


def kept_in(directory: str) -> Iterator[Kept]:
    """Everything in it. What is not noted counts as used when it was made."""
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    for name in names:
        if not name.endswith(USED) and not name.startswith("."):
            yield _look_at(f"{directory}/{name}")


def _look_at(path: str) -> Kept:
    try:
        with open(f"{path}{USED}", encoding="ascii") as file:
            return Kept(path, os.fstat(file.fileno()).st_mtime, int(file.read()))
    except (FileNotFoundError, ValueError):
        status = os.lstat(path)
        return Kept(path, status.st_mtime, tree_size(path) or status.st_blocks * 512)
