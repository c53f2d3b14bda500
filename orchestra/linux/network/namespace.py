"""Network namespaces that outlive processes, pinned by a bind mount of their nsfs file (network_namespaces(7)).

Joining or leaving a network namespace concerns one thread, and takes some microseconds (setns(2)). Everything here does
that in the caller's thread and returns to where it was, whatever happens inside. A thread for the purpose would take a
hundred times as long.
"""

from __future__ import annotations

import contextlib
import functools
import os
from errno import EINVAL, ENOENT
from typing import ParamSpec, TypeVar

from orchestra.linux import private_files
from orchestra.linux.mounts.mount import MNT_DETACH, MS_BIND, MS_PRIVATE, MS_SHARED, UMOUNT_NOFOLLOW, mount, unmount
from orchestra.linux.namespaces import CLONE_NEWNET, join, setns, unshare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")

OWN = "/proc/thread-self/ns/net"


def is_pinned(path: str) -> bool:
    """Whether a namespace is mounted at ``path``: the file alone may have survived a reboot."""
    try:
        return os.stat(path).st_dev == _device()
    except FileNotFoundError:
        return False


@functools.cache
def _device() -> int:
    """That of the kernel's one file system of namespaces."""
    return os.stat(OWN).st_dev


def make_shared_directory(path: str) -> None:
    """Make ``path`` a directory whose mounts, when undone here, are also undone in copies of this mount namespace.

    A process that unshares its mount namespace gets a copy of every pin, which would keep a namespace alive after the
    pin is gone here. Unmounting in a shared directory reaches such copies, if they are slaves (mount_namespaces(7)).
    Not for two threads or processes at once.
    """
    private_files.make_directories(path)
    try:
        mount("", path, flags=MS_SHARED)
    except OSError as error:
        if error.errno != EINVAL:
            raise
        mount(path, path, flags=MS_BIND)  # it was not a mount point yet
        # First leave the peer group of the file system below, or every pin would show up there a second time.
        mount("", path, flags=MS_PRIVATE)
        mount("", path, flags=MS_SHARED)


def remove_shared_directory(path: str) -> bool:
    """Undo ``make_shared_directory`` if the directory is empty or gone. Returns whether it was."""
    try:
        if os.listdir(path):
            return False
    except FileNotFoundError:
        return True
    _unmount(path)
    os.rmdir(path)
    return True


def pin_namespace(path: str, *, of: int | None = None) -> None:
    """Make a network namespace and pin it at the file ``path``; does nothing if one is pinned there already.

    of: pin the one of the process with this pid instead.
    """
    if is_pinned(path):
        return
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    if of is not None:
        mount(f"/proc/{of}/ns/net", path, flags=MS_BIND)
        return
    with _coming_back():
        unshare(CLONE_NEWNET)
        mount(OWN, path, flags=MS_BIND)


def unpin_namespace(path: str) -> None:
    """Undo ``pin_namespace``: the namespace ends with its last process. Does nothing if there is none."""
    while is_pinned(path):
        _unmount(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def inside(path: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` inside the network namespace at ``path``, and return or raise what it does.

    Sockets belong to the namespace they were made in, and may be used anywhere.
    """
    with _coming_back():
        join(path, CLONE_NEWNET)
        return function(*args, **kwargs)


@contextlib.contextmanager
def _coming_back() -> Iterator[None]:
    own = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        try:
            setns(own, CLONE_NEWNET)
        except OSError:
            os.abort()  # or the caller would go on in another network
        os.close(own)


def _unmount(path: str) -> None:
    try:
        unmount(path, MNT_DETACH | UMOUNT_NOFOLLOW)
    except OSError as error:
        if error.errno not in (EINVAL, ENOENT):  # not a mount point, or gone
            raise
