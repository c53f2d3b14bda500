"""Waiting for a stack to come up, that is, for its control socket or its desired state to appear.

Standard library only.
"""

from __future__ import annotations

import os
import select

from orchestra.linux.inotify import IN_CREATE, IN_DELETE_SELF, IN_MOVE_SELF, IN_MOVED_TO, Inotify


class Arrival(Inotify):
    """Create it before asking whether the stack is up, so that no change before ``wait`` is missed.

    directory: of what is to appear.
    """

    def __init__(self, directory: str) -> None:
        super().__init__()
        while True:
            try:
                self.add(directory, IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
            except FileNotFoundError:
                directory = os.path.dirname(directory)
            else:
                return

    def wait(self) -> None:
        """Return when something changes in the directory, or in its nearest parent directory that exists."""
        select.select([self], [], [])
