"""Noticing that the stack's sockets and locks were removed, for example by a cleaner of /run.

No command can find the supervisor then. So the fork server is ended, and another one starts with another supervisor.
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
    """Return the path of the missing file."""
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
