"""Waiting for files: inotify(7)."""

from __future__ import annotations

import ctypes
import os
import struct

from orchestra.linux.syscall import c_char_p, c_int, c_uint, check, declare
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x1000000
IN_MASK_ADD = 0x20000000

_init = declare("inotify_init1", c_int)
_add_watch = declare("inotify_add_watch", c_int, c_char_p, c_uint)
_remove_watch = declare("inotify_rm_watch", c_int, c_int)

_HEADER = struct.Struct("iIII")


class Event(NamedTuple):
    """watch: what ``add`` returned; name: of the entry in a watched directory, else empty."""

    watch: int
    mask: int
    name: str


class Inotify:
    """A queue of events. ``fileno`` becomes readable when there are some; not blocking."""

    def __init__(self) -> None:
        self._fd = check(_init(os.O_NONBLOCK | os.O_CLOEXEC), "inotify_init1")

    def fileno(self) -> int:
        return self._fd

    def add(self, path: str, mask: int) -> int:
        """Watch a path; watching it again replaces the mask and returns the same number.

        Raises FileNotFoundError, NotADirectoryError and other kinds of OSError: the path may come and go.
        """
        watch: int = _add_watch(self._fd, os.fsencode(path), mask)
        if watch < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        return watch

    def remove(self, watch: int) -> None:
        check(_remove_watch(self._fd, watch), "inotify_rm_watch")

    def read(self) -> list[Event]:
        """What has happened, without waiting: an empty list if nothing has."""
        try:
            data = os.read(self._fd, 65536)
        except BlockingIOError:
            return []
        events = []
        offset = 0
        while offset < len(data):
            watch, mask, _cookie, length = _HEADER.unpack_from(data, offset)
            offset += _HEADER.size
            name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
            events.append(Event(watch, mask, name))
            offset += length
        return events

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
