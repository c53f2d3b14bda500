"""Looking into a pipe without emptying it: tee(2)."""

from __future__ import annotations

import ctypes
from ctypes import c_size_t
from errno import EAGAIN

from orchestra.linux.syscall import c_int, c_uint, check, declare

SPLICE_F_NONBLOCK = 2

_tee = declare("tee", c_int, c_int, c_size_t, c_uint)


def tee(source: int, target: int, size: int) -> int:
    """Show ``target`` up to ``size`` bytes from the head of ``source``, both pipes; they stay in ``source``.

    Returns 0 when ``source`` is empty and has no writer left. BlockingIOError when it is only empty.
    """
    count = _tee(source, target, size, SPLICE_F_NONBLOCK)
    if count == -1 and ctypes.get_errno() == EAGAIN:
        raise BlockingIOError(EAGAIN, "tee")
    return check(count, "tee")
