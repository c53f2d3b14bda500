"""The stack to which everything belongs that a build makes while it runs. No Compose file can have its name."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.removal import remove_tree
from orchestra.driver.local.net.endpoint import detach
from orchestra.driver.local.net.network import remove_network
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.driver.local.strays import end_strays
from orchestra.errors import StillInUse
from orchestra.linux import private_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.home import Home

BUILDS = "_builds"
NETWORK = "orchestra.builds"
"""The network of the commands of all builds, which is there while one of them needs it."""


@contextlib.contextmanager
def living(home: Home) -> Iterator[None]:
    """In this context the stack of builds counts as running. Builders share it.

    The first one removes what killed ones have left, the last one the network.
    """
    stack = home.stack(BUILDS)
    with file_errors("the lock of builds"):
        private_files.make_directories(stack.containers)
        lock = os.open(stack.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _when_alone(lock, lambda: _sweep(home))
        fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            yield
        finally:
            _when_alone(lock, lambda: remove_network(home, BUILDS, NETWORK))
    finally:
        os.close(lock)


def _when_alone(lock: int, work: Callable[[], None]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    with contextlib.suppress(StillInUse):
        work()


def _sweep(home: Home) -> None:
    end_strays(home, BUILDS)
    stack = home.stack(BUILDS)
    for name in os.listdir(stack.containers):
        detach(home, BUILDS, name, stack.container(name))
        remove_tree(stack.container(name))
    snapshots = Snapshotter(home)
    for left in snapshots.leftovers({}):
        if left.stack == BUILDS:
            snapshots.remove(BUILDS, left.name)
