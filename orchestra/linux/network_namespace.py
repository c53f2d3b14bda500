"""Network namespaces that outlive processes, pinned by a bind mount of their nsfs file (network_namespaces(7)).

Joining or leaving a network namespace concerns one thread. Everything here does it in a thread of its own that ends
with the work, so no caller's thread is ever left in the wrong namespace, whatever fails.
"""

from __future__ import annotations

import ctypes
import os
import threading
from errno import EINVAL, ENOENT
from typing import ParamSpec, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

CLONE_NEWNET = 0x40000000
MS_BIND, MS_PRIVATE, MS_SHARED = 0x1000, 0x40000, 0x100000
MNT_DETACH, UMOUNT_NOFOLLOW = 0x2, 0x8
OWN = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)
_libc.unshare.argtypes = [ctypes.c_int]
_libc.setns.argtypes = [ctypes.c_int, ctypes.c_int]
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_void_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]


def is_pinned(path: str) -> bool:
    """Whether a network namespace is mounted at ``path``: the file alone says nothing, it survives a reboot."""
    try:
        return os.stat(path).st_dev == os.stat(OWN).st_dev
    except FileNotFoundError:
        return False


def make_shared_directory(path: str) -> None:
    """Make ``path`` a directory whose mounts, when undone here, are undone in copies of this mount namespace too.

    A process that unshares its mount namespace gets a copy of every pin, which would keep the namespaces alive after
    the pin is gone here; through a shared directory the unmounting reaches such copies, when they are slaves
    (mount_namespaces(7)). Not for two threads or processes at once.
    """
    os.makedirs(path, exist_ok=True)
    if _mount(None, path, MS_SHARED) == EINVAL:  # not a mount point yet
        _check(_mount(path, path, MS_BIND), "mount", path)
        # Out of the peer group of the file system below first, or every pin would show up there a second time.
        _check(_mount(None, path, MS_PRIVATE), "mount", path)
        _check(_mount(None, path, MS_SHARED), "mount", path)


def remove_shared_directory(path: str) -> bool:
    """Undo ``make_shared_directory`` if the directory is empty or gone; whether it was."""
    try:
        if os.listdir(path):
            return False
    except FileNotFoundError:
        return True
    _unmount(path)
    os.rmdir(path)
    return True


def pin_namespace(path: str) -> None:
    """Make a network namespace and pin it at the file ``path``; nothing happens when one is pinned there already."""
    if is_pinned(path):
        return
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def make() -> None:
        _check(_result(_libc.unshare(CLONE_NEWNET)), "unshare", "network namespace")
        _check(_mount(OWN, path, MS_BIND), "mount", path)

    _in_own_thread(make)


def unpin_namespace(path: str) -> None:
    """Undo ``pin_namespace``: the namespace dies with its last process. Nothing happens when there is none."""
    while is_pinned(path):
        _unmount(path)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def inside(path: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``function`` returns or raises, called by a thread inside the network namespace that ``path`` names.

    Sockets belong to the namespace they were made in, and may be used anywhere.
    """

    def call() -> T:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_result(_libc.setns(descriptor, CLONE_NEWNET)), "setns", path)
        finally:
            os.close(descriptor)
        return function(*args, **kwargs)

    return _in_own_thread(call)


def _in_own_thread(function: Callable[[], T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _mount(source: str | None, target: str, flags: int) -> int:
    """0, or the error's number."""
    return _result(_libc.mount(os.fsencode(source) if source else None, os.fsencode(target), None, flags, None))


def _unmount(path: str) -> None:
    number = _result(_libc.umount2(os.fsencode(path), MNT_DETACH | UMOUNT_NOFOLLOW))
    if number not in (EINVAL, ENOENT):
        _check(number, "umount", path)


def _result(value: int) -> int:
    return ctypes.get_errno() if value < 0 else 0


def _check(number: int, call: str, subject: str) -> None:
    if number:
        raise OSError(number, f"{call}: {os.strerror(number)}", subject)
