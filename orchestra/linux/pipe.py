"""Reading from a pipe without emptying it: tee(2)."""

from __future__ import annotations

import ctypes
from ctypes import c_size_t
from errno import EAGAIN, EINTR

from orchestra.linux.syscall import c_int, c_uint, check, declare

SPLICE_F_NONBLOCK = 2

_tee = declare("tee", c_int, c_int, c_size_t, c_uint)


def tee(source: int, target: int, size: int) -> int:
    """Copy up to ``size`` bytes from the head of ``source`` to ``target``, both pipes; they stay in ``source``.

    Returns 0 if ``source`` is empty and has no writer left. BlockingIOError if it is only empty.
    """
    while (count := _tee(source, target, size, SPLICE_F_NONBLOCK)) == -1:
        # In some kernels a pending signal is reported first, although the pipe is empty and the call would not wait.
        if ctypes.get_errno() == EINTR:
            continue
        if ctypes.get_errno() == EAGAIN:
            raise BlockingIOError(EAGAIN, "tee")
        break
    return check(count, "tee")
