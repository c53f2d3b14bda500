"""A tree of the host that other file systems are mounted in, as the root of a container without root.

In a user namespace overlayfs takes no layer that covers mounts from outside: what they hide must stay hidden
(mount_namespaces(7), locked mounts). So the root is made of the tree's names, and each directory without mounts below
becomes a layer of its own at its place.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from orchestra.linux.mounts.mountinfo import load_mounts

if TYPE_CHECKING:
    from collections.abc import Iterator

# The container has its own of these.
LEFT_EMPTY = frozenset({"dev", "proc", "sys"})


def covers_mounts(tree: str) -> bool:
    """Whether other file systems are mounted below the tree."""
    return any(True for _ in _points_below(os.path.realpath(tree)))


def copy_names(tree: str, skeleton: str) -> list[str]:
    """Give the directory ``skeleton`` the tree's own directories, empty, and its symbolic links.

    Returns the directories that can be layers. Files beside them are left out, and so is what may not be looked at.
    """
    root = os.path.realpath(tree)
    busy = {point.split("/")[0] for point in _points_below(root) if "/" in point} | LEFT_EMPTY
    usable: list[str] = []
    for entry in sorted(os.scandir(root), key=lambda each: each.name):
        with contextlib.suppress(FileExistsError):
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), f"{skeleton}/{entry.name}")
            elif entry.is_dir():
                os.mkdir(f"{skeleton}/{entry.name}", 0o755)
        if entry.is_dir(follow_symlinks=False) and entry.name not in busy and os.access(entry.path, os.R_OK | os.X_OK):
            usable.append(entry.name)
    return usable


def _points_below(root: str) -> Iterator[str]:
    """Paths of mounts, relative to the tree."""
    above = f"{root.rstrip('/')}/"
    for mount in load_mounts():
        if mount.point.startswith(above) and mount.point != above:
            yield mount.point[len(above) :]
