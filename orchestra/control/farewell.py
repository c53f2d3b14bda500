"""Removing the directories of a stack that is down. Standard library only.

A process that holds a lock file cannot remove it: another may be waiting on the same file. So they are removed from
outside, while holding the launch lock, once the fork server has exited.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.home import StackHome


def clear_away(stack_home: StackHome) -> None:
    """Wait until the stack's processes have ended, then remove its directories. Does nothing if it is up again."""
    with contextlib.ExitStack() as locks:
        for name in ("launch.lock", "fork.lock", "lock"):
            try:
                descriptor = os.open(f"{stack_home.run}/{name}", os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            locks.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.exists(stack_home.desired) or _has_entries(stack_home.containers):
            return
        import shutil

        for path in (stack_home.run, stack_home.data):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path)


def _has_entries(directory: str) -> bool:
    try:
        return bool(os.listdir(directory))
    except FileNotFoundError:
        return False
