"""What an image has at a volume's place goes into the volume when it is first used, as Docker does."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from orchestra.driver.local.volume.store import DATA, disk_errors, volume_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.home import Home

COPYING = "copying"
FILLING = "filling"


def fill_volume(home: Home, name: str, content: str) -> None:
    """Copy the directory ``content`` into the volume while that is empty, with owners, modes and links.

    content: a directory of the image as a container would see it; nothing happens when it is none. A crash loses
    nothing: a copy that is not complete is begun again, one that is gets moved into the volume by the next call.
    """
    path = volume_path(home, name)
    data, copying, filling = f"{path}/{DATA}", f"{path}/{COPYING}", f"{path}/{FILLING}"
    with disk_errors(f"volume {name}"):
        shutil.rmtree(copying, ignore_errors=True)
        if not os.path.isdir(filling):
            if os.listdir(data) or os.path.islink(content) or not os.path.isdir(content):
                return
            _copy_directory(content, copying, {})
            os.rename(copying, filling)
        for entry in os.listdir(filling):
            if not os.path.lexists(f"{data}/{entry}"):
                os.rename(f"{filling}/{entry}", f"{data}/{entry}")
        _copy_attributes(filling, data)
        shutil.rmtree(filling)


def _copy_directory(source: str, target: str, copied: dict[tuple[int, int], str]) -> None:
    """copied: files with several names, by device and inode, to their first copy."""
    os.mkdir(target, 0o700)
    for entry in os.scandir(source):
        place = f"{target}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            _copy_directory(entry.path, place, copied)
            continue
        status = entry.stat(follow_symlinks=False)
        first = copied.get((status.st_dev, status.st_ino))
        if first is not None:
            os.link(first, place, follow_symlinks=False)
            continue
        if status.st_nlink > 1:
            copied[status.st_dev, status.st_ino] = place
        _copier(status.st_mode)(entry.path, place)
        _copy_attributes(entry.path, place)
    _copy_attributes(source, target)


def _copier(mode: int) -> Callable[[str, str], object]:
    if stat.S_ISLNK(mode):
        return lambda source, target: os.symlink(os.readlink(source), target)
    if stat.S_ISREG(mode):
        return shutil.copyfile
    return lambda source, target: os.mknod(target, os.lstat(source).st_mode, os.lstat(source).st_rdev)


def _copy_attributes(source: str, target: str) -> None:
    """Owner first: changing it takes set-uid bits and file capabilities away."""
    status = os.lstat(source)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    shutil.copystat(source, target, follow_symlinks=False)
