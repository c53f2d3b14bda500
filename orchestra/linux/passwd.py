"""Users as the file /etc/passwd of the present root lists them (passwd(5)): read by hand, since libc loads modules."""

from __future__ import annotations

import os
import stat

MOST = 1 << 20  # bytes of it that are looked at: whose file it is may not be ours to trust


def home_of(uid: int, path: str = "/etc/passwd") -> str:
    """The home directory of that user; ``/`` for one who is not listed or where nothing can be read."""
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
