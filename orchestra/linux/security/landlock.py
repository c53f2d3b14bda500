"""Landlock: a process takes rights from itself and its children that it can never get back (landlock(7)).

It needs no privilege, only ``no_new_privs``. The numbers of the system calls are the same on all architectures.
"""

from __future__ import annotations

import ctypes
import os
from errno import ENOSYS, EOPNOTSUPP

from orchestra.linux.syscall import check, raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SYS_CREATE_RULESET, SYS_ADD_RULE, SYS_RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
# How many rights on files each version of the interface knows; a later one than the last has no fewer.
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
SCOPES_SINCE, SCOPE_ABSTRACT_UNIX_SOCKET, SCOPE_SIGNAL = 6, 1, 2


class _Ruleset(ctypes.Structure):
    """struct landlock_ruleset_attr."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def read_only(below: Iterable[str]) -> bool:
    """From now on only read files, and only below these directories: write, make, remove and execute nothing.

    Signals and abstract sockets reach only processes that are confined with it, and no others are traced. Returns
    whether the kernel can do that. Raises OSError.
    """
    version = raw(SYS_CREATE_RULESET, None, 0, CREATE_RULESET_VERSION)
    if version < 0:
        if ctypes.get_errno() in (ENOSYS, EOPNOTSUPP):
            return False
        check(version, "landlock_create_ruleset")
    rights = (1 << RIGHTS.get(version, max(RIGHTS.values()))) - 1
    scopes = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL if version >= SCOPES_SINCE else 0
    wanted = _Ruleset(rights, 0, scopes)
    # Older kernels know only the first member, and refuse others unless they are zero.
    ruleset = check(raw(SYS_CREATE_RULESET, ctypes.byref(wanted), ctypes.sizeof(wanted), 0), "landlock_create_ruleset")
    try:
        for path in below:
            _allow_reading(ruleset, path)
        check(raw(SYS_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)
    return True


def _allow_reading(ruleset: int, path: str) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rule = _Beneath(READ_FILE | READ_DIR, parent)
        check(raw(SYS_ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0), "landlock_add_rule", path)
    finally:
        os.close(parent)
