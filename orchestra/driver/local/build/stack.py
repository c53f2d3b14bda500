"""The stack to which everything belongs that a build makes while it runs. No Compose file can have its name."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.removal import remove_tree
from orchestra.driver.local.snapshot import Snapshotter
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

    The first one removes what killed ones have left, the last one everything that only builds need.
    """
    lock = _join(home)
    try:
        yield
    finally:
        try:
            _when_alone(home, lock, _end)
        finally:
            os.close(lock)


def note_step(home: Home) -> None:
    """Call this before a step is carried out: from then on there may be something to remove."""
    with file_errors("a step"):
        private_files.make_directories(home.stack(BUILDS).run)
        os.close(os.open(_note(home), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _note(home: Home) -> str:
    return os.path.join(home.stack(BUILDS).run, "steps")


def _join(home: Home) -> int:
    """Hold the lock with others. The last builder removes its file, so another may be there once it is held."""
    while True:
        lock = _open_lock(home)
        try:
            _when_alone(home, lock, _sweep)
            fcntl.flock(lock, fcntl.LOCK_SH)
            if _is_current(home, lock):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _open_lock(home: Home) -> int:
    stack = home.stack(BUILDS)
    with file_errors("the lock of builds"):
        while True:
            private_files.make_directories(stack.containers)
            with contextlib.suppress(FileNotFoundError):  # removed in between
                return os.open(stack.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_current(home: Home, lock: int) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), os.stat(home.stack(BUILDS).lock))
    except FileNotFoundError:
        return False


def _when_alone(home: Home, lock: int, work: Callable[[Home], None]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    if _is_current(home, lock):
        with contextlib.suppress(StillInUse):
            work(home)


def _end(home: Home) -> None:
    stack, note = home.stack(BUILDS), _note(home)
    is_used = os.path.exists(note)
    if is_used:
        from orchestra.driver.local.net.network import remove_network

        remove_network(home, BUILDS, NETWORK)
    # What a killed step has left stays for the next builder.
    with contextlib.suppress(OSError):
        os.rmdir(stack.containers)
        if is_used:
            os.unlink(note)
        os.unlink(stack.lock)
        os.rmdir(stack.run)


def _sweep(home: Home) -> None:
    if not os.path.exists(_note(home)):
        return
    from orchestra.driver.local.net.endpoint import detach
    from orchestra.driver.local.strays import end_strays

    end_strays(home, BUILDS)
    stack = home.stack(BUILDS)
    for name in os.listdir(stack.containers):
        detach(home, BUILDS, name, stack.container(name))
        remove_tree(stack.container(name))
    snapshots = Snapshotter(home)
    for left in snapshots.leftovers({}):
        if left.stack == BUILDS:
            snapshots.remove(BUILDS, left.name)
