"""Terminals: opening a pair inside a container's own devpts, window sizes, raw mode (ioctl_tty(2), pts(4))."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from typing import NamedTuple

TIOCGPTPEER = 0x5441
TIOCSPTLCK = 0x40045431

_WINSIZE = struct.Struct("HHHH")


class Size(NamedTuple):
    rows: int
    columns: int


def open_pair(ptmx: str) -> tuple[int, int]:
    """Master and slave of a new terminal of the devpts that ``ptmx`` belongs to; neither becomes ours to be led by.

    The slave is opened through the master (TIOCGPTPEER), so it is the right one whatever is mounted at /dev/pts.
    """
    master = os.open(ptmx, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    try:
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
    """The foreground processes get SIGWINCH when it differs from before."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, _WINSIZE.pack(size.rows, size.columns, 0, 0))


class RawMode:
    """Within: the terminal passes every byte on as it is (cfmakeraw(3)); afterwards it is as it was before."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> None:
        import tty

        self._before = termios.tcgetattr(self._fd)
        tty.setraw(self._fd, termios.TCSANOW)

    def __exit__(self, *_exception: object) -> None:
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
