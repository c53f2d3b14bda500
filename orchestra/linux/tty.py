"""Terminals: opening a pair inside a container's own devpts, window sizes, raw mode (ioctl_tty(2), pts(4))."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import termios
from errno import ENODEV

from orchestra.linux.mounts.procfs import file_system_kind
from orchestra.linux.mounts.resolve import open_in_root
from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple

TIOCGPTPEER = 0x5441
TIOCSPTLCK = 0x40045431
DEVPTS_SUPER_MAGIC = 0x1CD1

_WINSIZE = struct.Struct("HHHH")


class Size(NamedTuple):
    rows: int
    columns: int


def open_pair(root: int) -> tuple[int, int]:
    """Master and slave of a new terminal of the devpts below ``root``; neither becomes our controlling terminal.

    The root is not trusted, so anything may be at this path: only the multiplexer of a devpts is accepted. The slave is
    opened through the master (TIOCGPTPEER), so it is the right one whatever else is mounted at /dev/pts.
    """
    path = "/dev/pts/ptmx"
    master = open_in_root(root, path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        status = os.fstat(master)
        is_multiplexer = stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(5, 2)
        if not is_multiplexer or file_system_kind(master) != DEVPTS_SUPER_MAGIC:
            raise SystemCallError(ENODEV, "open", path, "it is not the multiplexer of a devpts")
        os.set_blocking(master, True)
        fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
        slave = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        os.close(master)
        raise
    return master, slave


def take_control(slave: int) -> None:
    """Make ``slave`` the controlling terminal of this session leader."""
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


def get_size(fd: int) -> Size:
    rows, columns, _width, _height = _WINSIZE.unpack(fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * _WINSIZE.size))
    return Size(rows, columns)


def set_size(fd: int, size: Size) -> None:
    """The foreground processes get SIGWINCH if it has changed."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, _WINSIZE.pack(size.rows, size.columns, 0, 0))


def is_in_foreground(fd: int) -> bool:
    """Whether this process may read from the terminal and change its settings without being stopped (SIGTTOU).

    Also if it is not the controlling terminal of this process, which is then stopped for nothing.
    """
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True


class KeyMode:
    """In this context each key can be read at once, and is not shown; Ctrl-C and the like make signals as before."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> KeyMode:
        self._before = termios.tcgetattr(self._fd)
        self.set()
        return self

    def set(self) -> None:
        """Again, after a shell has changed the settings meanwhile."""
        settings = termios.tcgetattr(self._fd)
        settings[3] &= ~(termios.ECHO | termios.ICANON)
        settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSANOW, settings)

    def __exit__(self, *_exception: object) -> None:
        if is_in_foreground(self._fd):
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)


class RawMode:
    """In this context the terminal passes every byte on unchanged (cfmakeraw(3)); afterwards it is as before."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> None:
        import tty

        self._before = termios.tcgetattr(self._fd)
        tty.setraw(self._fd, termios.TCSANOW)

    def __exit__(self, *_exception: object) -> None:
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
