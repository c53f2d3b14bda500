"""The user and group that this thread's files are made and reached as (setfsuid(2)), with all its capabilities."""

from __future__ import annotations

import contextlib
import os
from errno import EPERM

from orchestra.linux.security import capabilities
from orchestra.linux.syscall import SystemCallError, c_int, declare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_setfsuid = declare("setfsuid", c_int)
_setfsgid = declare("setfsgid", c_int)


@contextlib.contextmanager
def of(uid: int, gid: int) -> Iterator[None]:
    """The kernel takes away the capabilities that concern files together with the user 0; here they stay."""
    held = capabilities.held()
    _set(_setfsgid, gid, "setfsgid")
    _set(_setfsuid, uid, "setfsuid")
    try:
        capabilities.raise_effective(held)
        yield
    finally:
        _set(_setfsuid, os.geteuid(), "setfsuid")
        _set(_setfsgid, os.getegid(), "setfsgid")


def _set(call: Callable[[int], int], number: int, name: str) -> None:
    """Neither call reports an error; a second one with an impossible id tells what is set."""
    call(number)
    if call(-1) & 0xFFFFFFFF != number:
        raise SystemCallError(EPERM, name, str(number))
