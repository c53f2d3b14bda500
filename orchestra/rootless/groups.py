"""Where a user without root may make control groups: below a group of version 2 that was delegated (cgroups(7))."""

from __future__ import annotations

import os

from orchestra.linux import cgroup

V1 = "control groups of version 1 are for root alone"
NOT_DELEGATED = "the group above this process's is not delegated to this user; systemd-run --user --scope delegates one"


def delegated_parent() -> str | None:
    """The path of that group below the root of the hierarchy; None if there is none."""
    hierarchy = cgroup.machine_hierarchy()
    if hierarchy.version != 2:
        return None
    parent = cgroup.own_parent()
    directory = f"{hierarchy.v2}{parent}"
    return parent if all(os.access(path, os.W_OK) for path in (directory, f"{directory}/cgroup.procs")) else None


def lack() -> str:
    """Why there are no groups; empty if there are."""
    if delegated_parent() is not None:
        return ""
    return V1 if cgroup.machine_hierarchy().version == 1 else NOT_DELEGATED
