"""Copying what an image has at a volume's place into the volume when it is first used, as Docker does."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from orchestra.driver.local.image.layers.lookup import find
from orchestra.driver.local.image.layers.merging import copy_attributes, merge
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
            merge(home, sources, copying)
            os.rename(copying, filling)
        for entry in os.listdir(filling):
            if not os.path.lexists(f"{data}/{entry}"):
                os.rename(f"{filling}/{entry}", f"{data}/{entry}")
        copy_attributes(filling, data)
        remove_tree(filling)


def _is_directory(path: str) -> bool:
    return stat.S_ISDIR(os.lstat(path).st_mode)
