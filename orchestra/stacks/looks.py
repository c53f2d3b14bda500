"""The current containers of a stack for callers that look again and again: only what has changed is read."""

from __future__ import annotations

import os
import time

from orchestra.driver import Part
from orchestra.stacks.containers import look_at_containers, make_row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.home import StackHome
    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.context import Context

    Stamp = tuple[int, int]

SETTLED = 100_000_000
"""Nanoseconds after which a change can be told by its time: clocks of file systems tick less often than ours."""


class Looks:
    """Each change of a container is a file that is renamed into its directory, so the directory's time tells of it.

    What a restart policy will do may change with what is desired, too.
    """

    def __init__(self, context: Context, stack: str) -> None:
        self._context = context
        self._home: StackHome = context.home.stack(stack)
        self._files = context.offers(Part.FILES)
        self._desired: Stamp = (0, 0)
        self._rows: dict[str, tuple[Stamp, ContainerRow]] = {}

    def read(self) -> list[ContainerRow]:
        """As ``look_at_containers`` with ``tell_restarts``."""
        if not self._files:
            return look_at_containers(self._context, self._home.name)
        desired = _stamp(self._home.desired)
        if desired != self._desired:
            self._desired, self._rows = desired, {}
        try:
            names = sorted(os.listdir(self._home.containers))
        except FileNotFoundError:
            names = []
        before, self._rows = self._rows, {}
        found = (self._look(name, before) for name in names)
        return [row for row in found if row is not None]

    def _look(self, name: str, before: dict[str, tuple[Stamp, ContainerRow]]) -> ContainerRow | None:
        directory = self._home.container(name)
        stamp, known = _stamp(directory), before.get(name)
        if known is not None and known[0] == stamp and _is_there(known[1].pid):
            self._rows[name] = known
            return known[1]
        from orchestra.driver.local.look import look_at_container

        encoded = look_at_container(directory)
        if encoded is None:
            return None
        row = make_row(self._home, encoded)
        if stamp[1] < time.time_ns() - SETTLED:
            self._rows[name] = stamp, row
        return row


def _stamp(path: str) -> Stamp:
    """Of a file or directory; zeros if there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns


def _is_there(pid: int) -> bool:
    """pid: 0 for no process."""
    return not pid or os.path.exists(f"/proc/{pid}")
