"""The interface of every kind of control group, see ``orchestra.linux.cgroup``; and where their trees are."""

from __future__ import annotations

import os
from errno import ENOENT

from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Hierarchy(NamedTuple):
    """The hierarchies of a machine. v1: controller to mount point; v2: mount point of the unified tree, or empty."""

    v1: Mapping[str, str]
    v2: str

    @property
    def version(self) -> int:
        """1, 2, or 0 for none. A unified tree beside trees of version 1 has no controllers of ours."""
        return 1 if self.v1 else 2 if self.v2 else 0


class Cgroup:
    """No group: nothing is limited or counted, and only a PID namespace can end all processes of a container."""

    warning = "no cgroup is mounted: resource limits are not applied"

    def create(self, resources: Mapping[str, Any]) -> list[str]:
        """Make the group afresh with these limits. Returns warnings for what this machine cannot limit.

        Raises SystemCallError with EBUSY if it contains processes of another owner: then this object has no group.
        """
        # There are always device rules, and none of them is a limit that the user set.
        return [self.warning] if any(value for key, value in resources.items() if key != "devices") else []

    def update(self, resources: Mapping[str, Any]) -> list[str]:
        """Change limits of a group that exists. Returns warnings as ``create`` does."""
        return Cgroup.create(self, resources)

    def directory(self, controller: str) -> str:
        """The directory of a controller's files; empty if there is no such controller."""
        return ""

    def below(self, paths: Mapping[str, str]) -> Cgroup:
        """This group, for forking into groups below it: by controller, or with an empty name for all others.

        ENOENT if a group or a controller does not exist.
        """
        raise SystemCallError(ENOENT, "cgroup", " ".join(paths.values()), "the container has no group")

    def fork(self, beside: int = 0) -> int:
        """fork(2); the child is in the group once it has called ``enter``, which it does first.

        beside: the pid of one of its processes. If this group takes no processes, the child is born in that one's.
        """
        return os.fork()

    def birthplace(self) -> int:
        """A descriptor of the directory that a process should be born in, or -1 if it can ``enter`` later."""
        return -1

    def hierarchy(self) -> Hierarchy:
        """The trees it is in: ``at`` with these and its path makes an equal object."""
        return Hierarchy({}, "")

    def enter(self) -> None:
        """Complete what ``fork`` began, in the child."""

    def views(self) -> dict[str, str]:
        """What a container may see at /sys/fs/cgroup: the group's directory by the name below it, '' for itself."""
        return {}

    def oom_kills(self) -> int:
        """How many processes of this group the kernel has killed because memory ran out."""
        return 0

    def memory_peak(self) -> int:
        """The most bytes of memory that this group has used at once; 0 if that is not counted."""
        return 0

    def processes(self) -> list[int]:
        return []

    def kill(self) -> None:
        """SIGKILL to every process of the group and of groups below it; returns when they are gone."""

    def remove(self) -> None:
        """Remove the group, then its empty parents. Does nothing if there is nothing to remove."""
