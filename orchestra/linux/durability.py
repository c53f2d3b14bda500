"""Making written data durable: fsync(2), and syncfs(2) for trees in which fsync of each file would be far slower."""

from __future__ import annotations

import os

from orchestra.linux import whole_files
from orchestra.linux.syscall import c_int, check, declare

_syncfs = declare("syncfs", c_int)


def sync_directory(path: str) -> None:
    """Return once the names in the directory would survive a power failure."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def store_durably(path: str, content: bytes) -> None:
    """Replace the file completely or not at all; when this returns, it would survive a power failure.

    Only its owner may read it.
    """
    temporary = f"{path}.new"
    whole_files.write(temporary, content, durable=True)
    os.replace(temporary, path)
    sync_directory(os.path.dirname(path))


def sync_file_system(path: str) -> None:
    """Return once everything written so far to the file system of ``path`` would survive a power failure."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        check(_syncfs(fd), "syncfs", path)
    finally:
        os.close(fd)
