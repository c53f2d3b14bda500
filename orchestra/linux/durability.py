"""Making written data durable: syncfs(2), for trees in which fsync(2) of each file would be far slower."""

from __future__ import annotations

import os

from orchestra.linux.syscall import c_int, check, declare

_syncfs = declare("syncfs", c_int)


def sync_file_system(path: str) -> None:
    """Return once everything written so far to the file system of ``path`` would survive a power failure."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        check(_syncfs(fd), "syncfs", path)
    finally:
        os.close(fd)
