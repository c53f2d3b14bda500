"""Copying what an image has at a volume's place into the volume when it is first used, as Docker does."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from orchestra.driver.local.image.layers.lookup import OVERLAY, OVERLAY_OF_USERS, find, is_opaque, is_whiteout
from orchestra.driver.local.image.removal import remove_tree
from orchestra.driver.local.volume.store import DATA, disk_errors, volume_path
from orchestra.linux.directory_lock import locked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestra.driver.local.volume.mounts import ResolvedMount
    from orchestra.home import Home

COPYING = "copying"
FILLING = "filling"


def fill_volumes(home: Home, mounts: Iterable[ResolvedMount], layers: Sequence[str]) -> None:
    """Fill those volumes that should be filled and are empty. layers: of the image, topmost first."""
    for mount in mounts:
        if mount.fills:
            fill_volume(home, mount.fills, layers, mount.target)


def fill_volume(home: Home, name: str, layers: Sequence[str], target: str) -> None:
    """Copy what the image has at ``target`` into the volume while that is empty, with owners, modes and links.

    Does nothing if the image has no directory there. A crash loses nothing: an incomplete copy is begun again, and the
    next call moves a complete one into the volume. Waits for other callers that fill the same volume.
    """
    path = volume_path(home, name)
    data, copying, filling = f"{path}/{DATA}", f"{path}/{COPYING}", f"{path}/{FILLING}"
    with disk_errors(f"volume {name}"), locked(path):
        remove_tree(copying)
        if not os.path.isdir(filling):
            if os.listdir(data):
                return
            found = find(layers, target)
            sources = [f"{layer.rstrip('/')}{found.path}" for layer in found.layers] if found else []
            if not sources or not _is_directory(sources[0]):
                return
            copy = _Copy(home)
            for source in reversed(sources):
                copy.directory(source, copying)
            os.rename(copying, filling)
        for entry in os.listdir(filling):
            if not os.path.lexists(f"{data}/{entry}"):
                os.rename(f"{filling}/{entry}", f"{data}/{entry}")
        _copy_attributes(filling, data)
        remove_tree(filling)


class _Copy:
    """Layers laid one over the other, lowest first, by the rules of ``image.layers.lookup``."""

    def __init__(self, home: Home) -> None:
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
        _copy_attributes(source, target)

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
            os.mknod(target, status.st_mode, status.st_rdev)
        _copy_attributes(source, target)


def _is_directory(path: str) -> bool:
    return stat.S_ISDIR(os.lstat(path).st_mode)


def _copy_attributes(source: str, target: str) -> None:
    """Owner first: changing it takes set-uid bits and file capabilities away."""
    from shutil import copystat

    status = os.lstat(source)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    copystat(source, target, follow_symlinks=False)
    for name in os.listxattr(target, follow_symlinks=False):
        if name.startswith((OVERLAY, OVERLAY_OF_USERS)):  # meant for the layer, perhaps for one with the volume
            os.removexattr(target, name, follow_symlinks=False)
