"""What a container has changed in its image's files, from the upper directory of its overlayfs."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from orchestra.container.directory import ContainerDirectory
from orchestra.driver.local.image.store import ImageStore
from orchestra.driver.local.snapshot import Snapshotter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from orchestra.engine_api.world import Found
    from orchestra.home import Home

MODIFIED, ADDED, DELETED = 0, 1, 2
"""Engine API, ``ChangeType``."""


def find_changes(home: Home, found: Found) -> list[dict[str, Any]]:
    """Sorted by path; with the directories that something was changed in."""
    upper = Snapshotter(home).upper(found.home.name, found.container.name)
    layers = ImageStore(home).resolve(found.container.image_digest).layers
    mounts = ContainerDirectory(found.directory).load_sound("config.json").get("mounts") or ()
    made = {*(str(mount["destination"]) for mount in mounts)}
    rows = {path: kind for path, kind in _walk(upper, "", layers) if path not in made}
    empty = {path for path, kind in rows.items() if kind == MODIFIED and _holds_only(path, made, rows)}
    return [{"Path": path, "Kind": kind} for path, kind in sorted(rows.items()) if path not in empty]


def _holds_only(path: str, made: set[str], rows: Mapping[str, int]) -> bool:
    """Whether a directory is there for the places of mounts alone, which were made for the container."""
    below = f"{path}/"
    return any(each.startswith(below) for each in made) and not any(each.startswith(below) for each in rows)


def _walk(upper: str, below: str, layers: Sequence[str]) -> Iterator[tuple[str, int]]:
    with os.scandir(upper + below) as entries:
        there = list(entries)
    for entry in there:
        path = f"{below}/{entry.name}"
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            yield path, DELETED  # overlayfs, "whiteouts and opaque directories"
            continue
        yield path, MODIFIED if any(os.path.lexists(layer + path) for layer in layers) else ADDED
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(upper, path, layers)
