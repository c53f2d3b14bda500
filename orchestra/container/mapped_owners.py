"""Mounts that show other owners than the files have: ``idmap``, and the maps of an entry of ``mounts``.

crun's ``idmap=uids=FILES-HOST-COUNT#...;gids=...`` is what podman passes on of its own option of that name: from an id
of the file system to one of the host, or behind ``@`` of the container.
"""

from __future__ import annotations

import os
from errno import EINVAL
from typing import Any

from orchestra.linux import user_namespace
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.linux.mounts.mount import Options

    Rows = Sequence[Mapping[str, int]]

MAPS = {"uids": "uidMappings", "gids": "gidMappings"}


def open_owners(entry: Mapping[str, Any], options: Options, linux: Mapping[str, Any]) -> int:
    """A user namespace that maps owners as the mount wants it, or -1. Without maps of its own it is the container's."""
    users: Rows = entry.get("uidMappings") or ()
    groups: Rows = entry.get("gidMappings") or ()
    if options.owner_maps:
        try:
            users, groups = parse_maps(options.owner_maps, linux)
        except ValueError as error:
            hint = f"idmap={options.owner_maps}: uids=FILES-HOST-COUNT;gids=FILES-HOST-COUNT is expected ({error})"
            raise SystemCallError(EINVAL, "config", entry["destination"], hint) from None
    elif not users and not groups:
        if options.owners is None:
            return -1
        for row in linux.get("namespaces") or ():
            if row["type"] == "user" and row.get("path"):
                return os.open(row["path"], os.O_RDONLY | os.O_CLOEXEC)
        users, groups = linux.get("uidMappings") or (), linux.get("gidMappings") or ()
    if not users or not groups:
        hint = "an id-mapped mount needs uidMappings and gidMappings"
        raise SystemCallError(EINVAL, "config", entry["destination"], hint)
    return user_namespace.make(users, groups)


def parse_maps(text: str, linux: Mapping[str, Any]) -> tuple[Rows, Rows]:
    """Rows for users and for groups. linux: of the container. ValueError for what is no such text."""
    found: dict[str, Rows] = {}
    for part in text.split(";"):
        name, _, rows = part.partition("=")
        if name not in MAPS:
            raise ValueError(f"{name!r} is not known")
        found[name] = [_parse_row(row, linux.get(MAPS[name]) or ()) for row in rows.split("#")]
    return found.get("uids", ()), found.get("gids", ())


def _parse_row(text: str, container: Rows) -> Mapping[str, int]:
    first, host, count = (int(word) for word in text.removeprefix("@").split("-"))
    if text.startswith("@"):
        known = user_namespace.to_host(container, host)
        if known is None:
            raise ValueError(f"the container has no id {host}")
        host = known
    return {"containerID": first, "hostID": host, "size": count}
