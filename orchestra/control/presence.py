"""Noticing that the stack's sockets and locks have been removed, as by a cleaner of /run: no command finds us then.

The fork server is ended, so that another begins, with another supervisor, where commands look for them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from orchestra.linux.inotify import IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF, IN_MOVED_FROM, Inotify

if TYPE_CHECKING:
    from orchestra.home import StackHome

FILES = ("control.sock", "fork.sock", "fork.lock", "lock")


async def wait_until_lost(stack_home: StackHome) -> str:
    """The path of a file that is missing."""
    with Inotify() as changes:
        with suppress(FileNotFoundError):
            changes.add(stack_home.run, IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF)
        while not (missing := _missing(stack_home)):
            await anyio.wait_readable(changes)
            changes.read()
    return missing


def _missing(stack_home: StackHome) -> str:
    paths = (f"{stack_home.run}/{name}" for name in FILES)
    return next((path for path in paths if not os.path.exists(path)), "")
