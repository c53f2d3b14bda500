"""Volumes whose name is a single letter.

Compose reads ``v:/data`` as a path on drive V of Windows, which no container on Linux can mount. If the file declares a
volume ``v``, that is what is meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.schema.mounts import VolumeOptions
from orchestra.record import replace
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.compose.schema.mounts import ServiceVolume
    from orchestra.compose.schema.service import Service

_DRIVE = regex(r"([A-Za-z]):(/.*)")
_MODES = frozenset({"ro", "rw"})


def with_named_drives(service: Service, declared: Collection[str]) -> Service:
    """The service with the mounts of volumes that have one letter; the same object if there are none."""
    mounts = tuple(_named(mount, declared) for mount in service.volumes)
    return service if mounts == service.volumes else replace(service, volumes=mounts)


def _named(mount: ServiceVolume, declared: Collection[str]) -> ServiceVolume:
    """``v:/data`` has become a target without a source, and ``v:/data:ro`` a source with the target ``ro``."""
    whole, mode = (mount.source, mount.target) if mount.target in _MODES else (mount.target, "")
    drive = _DRIVE.fullmatch(whole or "")
    if drive is None or drive[1] not in declared or (not mode and mount.source):
        return mount
    return replace(
        mount,
        type="volume",
        source=drive[1],
        target=drive[2],
        bind=None,
        volume=VolumeOptions(),
        read_only=mount.read_only or mode == "ro",
    )
