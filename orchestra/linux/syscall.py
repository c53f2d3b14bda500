"""libc, loaded once: typed calls that raise errors with the call's name, its subject and the probable cause.

System calls without a wrapper in glibc 2.36 use the common numbers of all architectures (424 and up).
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p
from errno import EBUSY, EINVAL, EMFILE, ENOMEM, ENOSPC, ENOSYS, EPERM
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

libc = ctypes.CDLL(None, use_errno=True)

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

SYS_CLONE3 = 435
SYS_CLOSE_RANGE = 436
SYS_OPENAT2 = 437
SYS_MOUNT_SETATTR = 442

HINTS = {
    EPERM: "a capability is missing, or a security module forbids it",
    ENOSYS: "this kernel is too old, or a seccomp filter hides the call",
    EBUSY: "something still uses it",
    ENOSPC: "a limit is reached: disk space, inodes, or one of /proc/sys/fs and /proc/sys/user",
    ENOMEM: "out of memory, or the memory limit is too small",
    EMFILE: "too many open files: see `ulimit -n`",
}


class SystemCallError(OSError):
    """An OSError that knows its call. ``hint`` is a sentence on the probable cause, or empty."""

    def __init__(self, number: int, call: str, path: str = "", hint: str = "") -> None:
        super().__init__(number, os.strerror(number), path or None)
        self.call = call
        self.hint = hint or HINTS.get(number, "")

    def __str__(self) -> str:
        subject = f"{self.call} {self.filename}" if self.filename else self.call
        text = f"{subject}: {self.strerror}"
        return f"{text} ({self.hint})" if self.hint else text


def load_library(name: str, functions: Iterable[tuple[str, type | None, tuple[type, ...]]]) -> ctypes.CDLL | None:
    """A library with the types of its functions: name, result, arguments. None if it is not installed."""
    try:
        library = ctypes.CDLL(name)
    except OSError:
        return None
    for each, result, arguments in functions:
        function = getattr(library, each)
        function.restype, function.argtypes = result, arguments
    return library


def declare(name: str, *arguments: type) -> ctypes._NamedFuncPointer:
    """A libc function that returns an int, with the types of its arguments."""
    function = getattr(libc, name)
    function.argtypes = arguments
    function.restype = c_int
    return function  # type: ignore[no-any-return]  # CDLL attributes are untyped


_syscall = libc.syscall
_syscall.restype = c_long


def declare_number(number: int, *arguments: type) -> Callable[..., int]:
    """A system call by its number, with the types of its arguments. -1 and errno on failure, as for ``check``."""
    function = libc["syscall"]  # unlike the attribute, another object each time, with types of its own
    function.argtypes = (c_long, *arguments)
    function.restype = c_long
    return partial(function, number)


def check(result: int, call: str, path: str = "", hint: str = "") -> int:
    """``result``, or the error in errno if it is -1."""
    if result == -1:
        raise SystemCallError(ctypes.get_errno() or EINVAL, call, path, hint)
    return result


def raw(number: int, *arguments: object) -> int:
    """Like ``declare_number``, for a call that is rare. Integers are passed as longs."""
    return int(_syscall(c_long(number), *(c_long(a) if isinstance(a, int) else a for a in arguments)))


__all__ = [
    "AT_EMPTY_PATH",
    "AT_FDCWD",
    "AT_RECURSIVE",
    "SYS_CLONE3",
    "SYS_CLOSE_RANGE",
    "SYS_MOUNT_SETATTR",
    "SYS_OPENAT2",
    "SystemCallError",
    "c_char_p",
    "c_int",
    "c_uint",
    "c_ulong",
    "c_void_p",
    "check",
    "declare",
    "declare_number",
    "libc",
    "raw",
]
