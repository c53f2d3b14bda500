"""Users in /etc/passwd of the current root (passwd(5)). Parsed here, since libc would load modules from that root."""

from __future__ import annotations

import os
import stat

MOST = 1 << 20  # bytes to read at most: the file may not be trustworthy


def home_of(uid: int, path: str = "/etc/passwd") -> str:
    """The home directory of this user; ``/`` if the user is not listed or the file cannot be read."""
    number = str(uid)
    for line in _read(path).split("\n"):
        fields = line.split(":")
        if len(fields) > 5 and fields[2] == number:
            return fields[5] or "/"
    return "/"


def _read(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.fsdecode(os.read(fd, MOST)) if stat.S_ISREG(os.fstat(fd).st_mode) else ""
    finally:
        os.close(fd)
