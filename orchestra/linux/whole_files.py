"""Files read and written whole, without a file object: that costs four more system calls, and between two of them
another thread may take the interpreter for milliseconds. A process that was just forked would also copy its pages.
"""

from __future__ import annotations

import os

PART = 16384
"""Bytes that are read at once: most files are smaller."""


def read(path: str) -> bytes:
    """The content of a regular file, or of one in /proc that is smaller than a page. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return read_from(fd, 0)
    finally:
        os.close(fd)


def read_from(fd: int, offset: int) -> bytes:
    """The rest of such a file, which is open. Raises OSError."""
    content = part = os.pread(fd, PART, offset)
    # A read that returns less than was asked for has reached the end.
    while len(part) == PART:
        content += (part := os.pread(fd, PART, offset + len(content)))
    return content


def read_pages(path: str) -> bytes:
    """The content of a file in /proc or cgroupfs of any size: the kernel makes it a page at a time. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    content = b""
    try:
        while part := os.read(fd, PART):
            content += part
        return content
    finally:
        os.close(fd)


def write(path: str, content: bytes, *, mode: int | None = None, durable: bool = False) -> None:
    """Write a file, or replace what it holds. Raises OSError.

    mode: its permissions, whatever the umask; without it, only the owner may read a new file. durable: its content is
    on disk when this returns.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if mode is not None:
            os.fchmod(fd, mode)
        # If the disk becomes full, only a part is written, without an error at first.
        while content:
            content = content[os.write(fd, content) :]
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def set(path: str, value: str) -> None:
    """Write a setting of the kernel's to its file in /proc or cgroupfs, which must exist. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
