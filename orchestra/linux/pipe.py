"""Looking into a pipe without emptying it: tee(2)."""

from __future__ import annotations

import ctypes
from ctypes import c_size_t
from errno import EAGAIN, EINTR

from orchestra.linux.syscall import c_int, c_uint, check, declare

SPLICE_F_NONBLOCK = 2

_tee = declare("tee", c_int, c_int, c_size_t, c_uint)


def tee(source: int, target: int, size: int) -> int:
    """Show ``target`` up to ``size`` bytes from the head of ``source``, both pipes; they stay in ``source``.

    Returns 0 when ``source`` is empty and has no writer left. BlockingIOError when it is only empty.
    """
    while (count := _tee(source, target, size, SPLICE_F_NONBLOCK)) == -1:
        # In some kernels a signal counts more than that there is nothing and that nobody wants to wait.
        if ctypes.get_errno() == EINTR:
            continue
        if ctypes.get_errno() == EAGAIN:
            raise BlockingIOError(EAGAIN, "tee")
        break
    return check(count, "tee")
