"""Control groups behind the same few calls: version 1 (a tree for each controller), version 2, or none.

A path such as ``/orchestra/STACK/ID`` is relative to the root of each tree; ``SLICE:PREFIX:NAME`` is a scope of
systemd. Sources: cgroups(7) and the kernel's admin-guide/cgroup-v1 and cgroup-v2.
"""

from __future__ import annotations

import os

from orchestra.linux.cgroup.base import Cgroup, Hierarchy
from orchestra.linux.mounts.mountinfo import load_mounts

__all__ = ["Cgroup", "Hierarchy", "at", "find_hierarchy", "is_scope", "machine_hierarchy", "own_parent"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestra.linux.mounts.mountinfo import Mount
    from orchestra.linux.systemd.dbus import Variant

# Every tree of version 1 that a container is put in, as by runc and crun: to be limited, counted, paused or found by
# others. The last one has no controller: systemd made it for itself, and keeps track of its own groups there.
CONTROLLERS_V1 = {"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "devices", "freezer", "hugetlb"}
CONTROLLERS_V1 |= {"net_cls", "net_prio", "perf_event", "rdma", "misc"}
NAMED = "name=systemd"


def find_hierarchy(mounts: Iterable[Mount]) -> Hierarchy:
    v1: dict[str, str] = {}
    v2 = ""
    for mount in mounts:
        if mount.kind == "cgroup2" and not v2:
            v2 = mount.point
        elif mount.kind == "cgroup":
            for option in mount.options:
                if option in CONTROLLERS_V1 or option == NAMED:
                    v1.setdefault(option, mount.point)
    return Hierarchy({} if set(v1) == {NAMED} else v1, v2)


def at(
    path: str,
    hierarchy: Hierarchy | None = None,
    owner: str | None = None,
    *,
    everywhere: bool = True,
    annotations: Mapping[str, str] | None = None,
) -> Cgroup:
    """The group at an OCI ``linux.cgroupsPath``; for an empty path an object without a group.

    owner: whose group it is or will be: processes and groups of other owners are neither killed nor removed. None for
    any owner. everywhere: in version 1 it is made in every tree, as by other runtimes; otherwise only in those that
    count, limit or pause. annotations: of a configuration; some are properties of the scope that is made.
    """
    found = hierarchy if hierarchy is not None else machine_hierarchy()
    if not path.strip("/") or found.version == 0:
        return Cgroup()
    scope = None
    if is_scope(path):
        from orchestra.linux.systemd.scope import Scope

        properties: Sequence[tuple[str, Variant]] = ()
        if annotations:
            from orchestra.linux.systemd.annotations import annotated_properties

            properties = annotated_properties(annotations)
        scope = Scope(path, found.version, properties)
        path = scope.path
    # Each branch imports only what it needs: starting takes most of a command's time.
    if found.version == 1:
        from orchestra.linux.cgroup.v1 import CgroupV1

        # Beside version 1, systemd may keep track of groups in the unified tree.
        trees = {**found.v1, "unified": found.v2} if scope is not None and found.v2 else found.v1
        return CgroupV1(trees, path, owner, scope, everywhere=everywhere)
    from orchestra.linux.cgroup.v2 import CgroupV2

    return CgroupV2(found.v2, path, owner, scope)


def is_scope(path: str) -> bool:
    """Whether it is ``SLICE:PREFIX:NAME``, a scope to ask systemd for."""
    return path.count(":") == 2 and "/" not in path


def own_parent() -> str:
    """The path of the version 2 group above ours, which may be delegated to a user. Empty for the topmost."""
    with open("/proc/self/cgroup") as file:
        return next((os.path.dirname(line[3:]).rstrip("/") for line in file if line.startswith("0::")), "")


_machine: list[Hierarchy] = []


def machine_hierarchy() -> Hierarchy:
    """The hierarchies that this machine has mounted, looked up once."""
    if not _machine:
        _machine.append(find_hierarchy(load_mounts()))
    return _machine[0]
