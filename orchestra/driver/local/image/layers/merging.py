"""Copying layers laid one over the other, by the rules of ``image.layers.lookup``, where no overlayfs can show them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from orchestra.driver.local.image.layers.lookup import OVERLAY, OVERLAY_OF_USERS, is_opaque, is_whiteout
from orchestra.driver.local.image.removal import remove_tree
from orchestra.home import is_rootless

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.home import Home

    Owners = Callable[[int, int], tuple[int, int]]


def merge(home: Home, layers: Sequence[str], target: str, owners: Owners | None = None) -> None:
    """Copy directories, topmost first, into ``target``, which is made.

    owners: the user and group that a file of this user and this group is to have; None for the same.
    """
    copy = _Copy(home, owners)
    for layer in reversed(layers):
        copy.directory(layer, target)


class _Copy:
    """Of layers, lowest first."""

    def __init__(self, home: Home, owners: Owners | None) -> None:
        self._owners = owners
        # If a tree of this machine is used as an image, it may contain the home, and so the copy itself.
        self._hidden = {os.path.realpath(home.data), os.path.realpath(home.run)}
        self._copied: dict[tuple[int, int], str] = {}

    def directory(self, source: str, target: str) -> None:
        fd = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            device = os.fstat(fd).st_dev
            if os.path.lexists(target) and (is_opaque(fd) or not _is_directory(target)):
                remove_tree(target)
            if not os.path.lexists(target):
                os.mkdir(target, 0o700)
        finally:
            os.close(fd)
        if os.path.realpath(source) not in self._hidden:
            with os.scandir(source) as entries:
                for entry in entries:
                    self._entry(entry, f"{target}/{entry.name}", device)
        copy_attributes(source, target, self._owners)

    def _entry(self, entry: os.DirEntry[str], target: str, device: int) -> None:
        status = entry.stat(follow_symlinks=False)
        if status.st_dev != device:
            return  # a mount of the host: no part of the layer
        if stat.S_ISDIR(status.st_mode):
            self.directory(entry.path, target)
            return
        if os.path.lexists(target):
            remove_tree(target)
        if is_whiteout(status):
            return
        self._file(entry.path, target, status)

    def _file(self, source: str, target: str, status: os.stat_result) -> None:
        first = self._copied.get((status.st_dev, status.st_ino))
        if first is not None and os.path.lexists(first):
            os.link(first, target, follow_symlinks=False)
            return
        if status.st_nlink > 1:
            self._copied[status.st_dev, status.st_ino] = target
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(source), target)
        elif stat.S_ISREG(status.st_mode):
            from shutil import copyfile

            copyfile(source, target)
        else:
            try:
                os.mknod(target, status.st_mode, status.st_rdev)
            except PermissionError:
                if not is_rootless(os.environ):
                    raise
                return  # no user namespace may have devices; containers get those that they need in their own /dev
        copy_attributes(source, target, self._owners)


def _is_directory(path: str) -> bool:
    return stat.S_ISDIR(os.lstat(path).st_mode)


def copy_attributes(source: str, target: str, owners: Owners | None = None) -> None:
    """Owner first: changing it takes set-uid bits and file capabilities away."""
    from shutil import copystat

    status = os.lstat(source)
    owner = (status.st_uid, status.st_gid)
    os.chown(target, *(owners(*owner) if owners else owner), follow_symlinks=False)
    copystat(source, target, follow_symlinks=False)
    for name in os.listxattr(target, follow_symlinks=False):
        if name.startswith((OVERLAY, OVERLAY_OF_USERS)):  # meant for the layer, perhaps for one with the volume
            os.removexattr(target, name, follow_symlinks=False)
