"""Waiting for a stack to come up, that is, for its control socket to appear. Standard library only."""

from __future__ import annotations

import os
import select

from orchestra.linux.inotify import IN_CREATE, IN_DELETE_SELF, IN_MOVE_SELF, IN_MOVED_TO, Inotify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.home import StackHome


class Arrival(Inotify):
    """Create it before asking whether the stack is up, so that no change before ``wait`` is missed."""

    def __init__(self, stack_home: StackHome) -> None:
        super().__init__()
        directory = stack_home.run
        while True:
            try:
                self.add(directory, IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
            except FileNotFoundError:
                directory = os.path.dirname(directory)
            else:
                return

    def wait(self) -> None:
        """Return when something changes in the socket's directory, or in its nearest parent directory that exists."""
        select.select([self], [], [])
