"""Errors of containers, as the driver's errors."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING

from orchestra.engine.driver import NotExecutable
from orchestra.errors import FatalError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSING = {
    errno.EAGAIN: "too many processes: see ulimit -u and /proc/sys/kernel/pid_max",
    errno.EALREADY: "an earlier run is still ending",
    errno.EBUSY: "something left by an earlier run is still in use",
    errno.ECONNREFUSED: "the fork server is being replaced",
    errno.ECONNRESET: "the fork server is being replaced",
    errno.EPIPE: "the fork server is being replaced",
    errno.EMFILE: "too many open files: see ulimit -n",
    errno.ENFILE: "too many open files on this machine: see /proc/sys/fs/file-max",
    errno.ENOMEM: "out of memory",
}
HINTS = {
    errno.EPERM: "a capability is missing: run orchestra doctor to see which",
    errno.ENOSPC: "the disk is full, or a kernel limit is reached: see /proc/sys/user",
    errno.ENOSYS: "this kernel lacks the system call: run orchestra doctor to see what it supports",
}


@contextlib.contextmanager
def runtime_errors(container: str, *, passing: tuple[int, ...] = ()) -> Iterator[None]:
    """Turn an OSError into a DriverError about this container. passing: further errors that may not occur again."""
    try:
        yield
    except OSError as error:
        number = error.errno or (errno.ECONNRESET if isinstance(error, ConnectionResetError) else 0)
        said = getattr(error, "hint", "")
        message = f"container {container}: {str(error).removesuffix(f' ({said})')}"
        if number in PASSING or number in passing:
            raise TemporaryError(message, hint=said or PASSING.get(number, "")) from error
        hint = said or HINTS.get(number, "")
        if getattr(error, "call", "") == "execve":
            raise NotExecutable(message, hint, number) from error
        raise FatalError(message, hint=hint) from error
