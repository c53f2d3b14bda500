"""Volumes without a name in the file: one for each place of a container, found again by the container's name.

The name of such a volume on the host follows from stack, container and place, so a container that is made anew finds
the volume of its predecessor, also after a crash between the two, or a reboot. A volume that must not be found again
gets a name that nothing leads to.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from typing import TYPE_CHECKING

from orchestra.driver.local.volume.store import (
    VolumeRecord,
    delete_volumes,
    disk_errors,
    load_record,
    make_volume,
    volume_path,
)
from orchestra.linux.durability import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestra.home import Home


def anonymous_name(stack: str, container: str, target: str) -> str:
    """64 hexadecimal digits, as Docker names such a volume."""
    return hashlib.sha256(f"{stack}\0{container}\0{os.path.normpath(target)}".encode()).hexdigest()


def ensure_anonymous_volume(
    home: Home, stack: str, container: str, target: str, labels: Mapping[str, str] | None = None
) -> str:
    """The name of the volume that this container has at ``target``: the same one whenever it is asked for.

    labels: for a volume that is made now.
    """
    name = anonymous_name(stack, container, target)
    if load_record(home, name) is None:
        with disk_errors(f"the volume at {target}"):
            record = VolumeRecord(name, stack, time.time(), container=container, target=target, labels=labels or {})
            make_volume(home, record)
    return name


def leave_anonymous_volumes(home: Home, stack: str, container: str, names: Iterable[str]) -> None:
    """Keep the container's own anonymous ones of these volumes, but hide them from every later container."""
    for record in _anonymous(home, stack, container, names):
        with disk_errors(f"the volume at {record.target}"), contextlib.suppress(FileNotFoundError):
            os.rename(volume_path(home, record.name), volume_path(home, os.urandom(32).hex()))
            sync_directory(home.volumes)


def delete_anonymous_volumes(
    home: Home, stack: str, container: str, names: Iterable[str], *, since: float = 0.0
) -> None:
    """Delete the container's own anonymous ones that were made at ``since`` (Unix seconds) or later."""
    doomed = [record.name for record in _anonymous(home, stack, container, names) if record.created_at >= since]
    if doomed:
        delete_volumes(home, doomed)


def _anonymous(home: Home, stack: str, container: str, names: Iterable[str]) -> Iterator[VolumeRecord]:
    """Without those that it mounts by ``volumes_from``."""
    for name in names:
        record = load_record(home, name)
        if record is not None and (record.stack, record.container) == (stack, container):
            yield record
