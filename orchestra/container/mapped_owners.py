"""Mounts that show other owners than the files have: ``idmap``, and the mappings of an entry of ``mounts``.

podman passes its own option of that name on as crun's ``idmap=uids=FILES-HOST-COUNT#...;gids=...``: it maps an id of
the file system to one of the host or, after ``@``, of the container.
"""

from __future__ import annotations

import os
from errno import EINVAL

from orchestra.linux import user_namespace
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.container.configuration import Linux, Mount, Rows
    from orchestra.linux.mounts.mount import Options


def open_owners(entry: Mount, options: Options, linux: Linux) -> int:
    """A user namespace that maps owners as the mount wants it, or -1. Without maps of its own it is the container's."""
    users, groups = entry.uid_mappings, entry.gid_mappings
    if options.owner_maps:
        try:
            users, groups = parse_maps(options.owner_maps, linux)
        except ValueError as error:
            hint = f"idmap={options.owner_maps}: uids=FILES-HOST-COUNT;gids=FILES-HOST-COUNT is expected ({error})"
            raise SystemCallError(EINVAL, "config", entry.destination, hint) from None
    elif not users and not groups:
        if options.owners is None:
            return -1
        for space in linux.namespaces:
            if space.type == "user" and space.path:
                return os.open(space.path, os.O_RDONLY | os.O_CLOEXEC)
        users, groups = linux.uid_mappings, linux.gid_mappings
    if not users or not groups:
        hint = "an id-mapped mount needs uidMappings and gidMappings"
        raise SystemCallError(EINVAL, "config", entry.destination, hint)
    return user_namespace.make(users, groups)


def parse_maps(text: str, linux: Linux) -> tuple[Rows, Rows]:
    """Rows for users and for groups. linux: of the container. Raises ValueError if the text is malformed."""
    maps = {"uids": linux.uid_mappings, "gids": linux.gid_mappings}
    found: dict[str, Rows] = {}
    for part in text.split(";"):
        name, _, rows = part.partition("=")
        if name not in maps:
            raise ValueError(f"{name!r} is not known")
        found[name] = [_parse_row(row, maps[name]) for row in rows.split("#")]
    return found.get("uids", ()), found.get("gids", ())


def _parse_row(text: str, container: Rows) -> Mapping[str, int]:
    first, host, count = (int(word) for word in text.removeprefix("@").split("-"))
    if text.startswith("@"):
        known = user_namespace.to_host(container, host)
        if known is None:
            raise ValueError(f"the container has no id {host}")
        host = known
    return {"containerID": first, "hostID": host, "size": count}
