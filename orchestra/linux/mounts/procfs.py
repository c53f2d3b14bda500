"""Files of a procfs that cannot be trusted: a container may have mounted anything over its /proc."""

from __future__ import annotations

import ctypes
import os
from errno import EINVAL

from orchestra.linux.mounts.mount_tree import clone
from orchestra.linux.mounts.resolve import (
    RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_XDEV,
    open_in_root,
    open_with,
)
from orchestra.linux.syscall import SystemCallError, c_int, c_void_p, check, declare

PROC_SUPER_MAGIC = 0x9FA0
PROC_ROOT_INO = 1
STRICT = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV

_fstatfs = declare("fstatfs", c_int, c_void_p)


def file_system_kind(fd: int) -> int:
    """``f_type`` of fstatfs(2): the first word of the structure, on every architecture with 64 bits."""
    buffer = ctypes.create_string_buffer(256)
    check(_fstatfs(fd, ctypes.addressof(buffer)), "fstatfs")
    return ctypes.c_long.from_buffer(buffer).value


def open_root(root: int, below: str = "") -> int:
    """The procfs at /proc below ``root``, without the mounts over parts of it.

    below: a directory in it to open instead.
    """
    at = open_in_root(root, "/proc", os.O_PATH | os.O_DIRECTORY)
    try:
        if file_system_kind(at) != PROC_SUPER_MAGIC or os.fstat(at).st_ino != PROC_ROOT_INO:
            raise SystemCallError(EINVAL, "open", "/proc", "it is not a procfs")
        whole = clone(at, about="/proc")
    finally:
        os.close(at)
    if not below:
        return whole
    try:
        # Not O_PATH: the mount lasts as long as a file of it is open.
        return open_with(whole, below, os.O_RDONLY | os.O_DIRECTORY, STRICT)
    finally:
        os.close(whole)


def write(directory: int, path: str, value: str) -> None:
    """``path``: below the directory. Follows neither links out of it nor other mounts."""
    fd = open_with(directory, path, os.O_WRONLY, STRICT)
    try:
        if file_system_kind(fd) != PROC_SUPER_MAGIC:
            raise SystemCallError(EINVAL, "open", f"/proc/{path}", "it is not a file of a procfs")
        os.write(fd, value.encode())
    finally:
        os.close(fd)
