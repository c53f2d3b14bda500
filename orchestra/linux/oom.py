"""Notifications that a control group has run out of memory: eventfd(2) in version 1, inotify(7) in version 2.

Sources: admin-guide/cgroup-v1/memory, "OOM Control"; admin-guide/cgroup-v2, "memory.events".
"""

from __future__ import annotations

import os
from errno import ENOTSUP

from orchestra.linux import inotify
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.linux.cgroup import Cgroup

CONTROL = "memory.oom_control"


def watch_oom(group: Cgroup) -> OomWatch:
    """SystemCallError with ENOTSUP if the group has no memory controller."""
    directory = group.directory("memory")
    if os.path.exists(f"{directory}/{CONTROL}"):
        return OomWatchV1(group, directory)
    if os.path.exists(f"{directory}/memory.events"):
        return OomWatchV2(group, directory)
    raise SystemCallError(ENOTSUP, "watch", directory, "the container's memory is not controlled")


class OomWatch:
    """Call ``happened`` when fileno becomes readable. The caller closes it."""

    def fileno(self) -> int:
        raise NotImplementedError

    def happened(self) -> bool:
        """Whether memory has run out since the last call. Does not wait."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class OomWatchV1(OomWatch):
    def __init__(self, _group: Cgroup, directory: str) -> None:
        self._control = os.open(f"{directory}/{CONTROL}", os.O_RDONLY | os.O_CLOEXEC)
        self._path = f"{directory}/{CONTROL}"
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        with open(f"{directory}/cgroup.event_control", "w") as file:
            file.write(f"{self._event} {self._control}")

    def fileno(self) -> int:
        return self._event

    def happened(self) -> bool:
        try:
            os.eventfd_read(self._event)
        except BlockingIOError:
            return False
        # Removing the group is an event too.
        return os.path.exists(self._path)

    def close(self) -> None:
        os.close(self._event)
        os.close(self._control)


class OomWatchV2(OomWatch):
    """The file has other counters too, so only the number tells."""

    def __init__(self, group: Cgroup, directory: str) -> None:
        self._group = group
        self._queue = inotify.Inotify()
        self._queue.add(f"{directory}/memory.events", inotify.IN_MODIFY)
        self._kills = group.oom_kills()

    def fileno(self) -> int:
        return self._queue.fileno()

    def happened(self) -> bool:
        self._queue.read()
        before, self._kills = self._kills, self._group.oom_kills()
        return self._kills > before

    def close(self) -> None:
        self._queue.close()
