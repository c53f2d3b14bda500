"""What every kind of control group can be asked, see ``orchestra.linux.cgroup``; and where the trees of them are."""

from __future__ import annotations

import os
from errno import ENOENT
from typing import Any, NamedTuple

from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Hierarchy(NamedTuple):
    """What this machine has. v1: controller to mount point; v2: mount point of the unified tree, or empty."""

    v1: Mapping[str, str]
    v2: str

    @property
    def version(self) -> int:
        """1, 2, or 0 for none. A unified tree beside trees of version 1 has no controllers of ours."""
        return 1 if self.v1 else 2 if self.v2 else 0


class Cgroup:
    """None: nothing is limited or counted, and only a PID namespace can end all of a container's processes."""

    warning = "no cgroup is mounted: resource limits are not applied"

    def create(self, resources: Mapping[str, Any]) -> list[str]:
        """Make the group afresh with these limits. Returns warnings for what this machine cannot limit.

        Raises SystemCallError with EBUSY when processes of somebody else are in it: then this object has no group.
        """
        # Device rules are always there, and none of them is anybody's limit.
        return [self.warning] if any(value for key, value in resources.items() if key != "devices") else []

    def update(self, resources: Mapping[str, Any]) -> list[str]:
        """Change limits of a group that exists. Returns warnings as ``create`` does."""
        return Cgroup.create(self, resources)

    def directory(self, controller: str) -> str:
        """Where the files of a controller are; empty when there is no such controller."""
        return ""

    def below(self, paths: Mapping[str, str]) -> Cgroup:
        """This one, to fork into groups below it: by controller, or with an empty name for all others.

        ENOENT for a group or a controller that there is not.
        """
        raise SystemCallError(ENOENT, "cgroup", " ".join(paths.values()), "the container has no group")

    def fork(self, beside: int = 0) -> int:
        """fork(2); the child is in the group once it has called ``enter``, which it does first of all.

        beside: the pid of one of its processes, in whose group below it the child is born where this one takes none.
        """
        return os.fork()

    def birthplace(self) -> int:
        """A descriptor of the directory that a process had better be born in, or -1 where it can ``enter`` later."""
        return -1

    def hierarchy(self) -> Hierarchy:
        """The trees it is in: with them, ``at`` makes the same of its path."""
        return Hierarchy({}, "")

    def enter(self) -> None:
        """Complete what ``fork`` began, in the child."""

    def views(self) -> dict[str, str]:
        """What a container may see at /sys/fs/cgroup: name below it, empty for itself, to directory of the group."""
        return {}

    def oom_kills(self) -> int:
        """How many processes the kernel has killed for want of memory in this group."""
        return 0

    def processes(self) -> list[int]:
        return []

    def kill(self) -> None:
        """SIGKILL to every process of the group and of groups below it; returns when they are gone."""

    def remove(self) -> None:
        """Remove the group, then its parents while they are empty. Nothing to remove is no error."""
