"""Data that outlives containers, and everything else that is mounted into them from the host.

A volume is a directory of ``Home.volumes``:

    NAME/volume.json    VolumeRecord: its owner, and its specification
    NAME/_data/         what containers see, unless its options name another place
    NAME/filling/       the part of the image's content that has not been moved into _data yet

Names that begin with a dot are not volumes: ``.new`` is one being made, ``.removed-…`` one being deleted. Only
``remove_volume`` and ``delete_anonymous_volumes`` ever remove anything here.
"""

from orchestra.driver.local.volume.anonymous import (
    anonymous_name,
    delete_anonymous_volumes,
    leave_anonymous_volumes,
)
from orchestra.driver.local.volume.fill import fill_volumes
from orchestra.driver.local.volume.mounts import ResolvedMount, check_sources, explain_missing, resolve_mounts
from orchestra.driver.local.volume.store import create_volume, observe_volumes, remove_volume

__all__ = [
    "ResolvedMount",
    "anonymous_name",
    "check_sources",
    "create_volume",
    "delete_anonymous_volumes",
    "explain_missing",
    "fill_volumes",
    "leave_anonymous_volumes",
    "observe_volumes",
    "remove_volume",
    "resolve_mounts",
]
