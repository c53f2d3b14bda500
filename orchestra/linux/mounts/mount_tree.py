"""Mounts that are not attached yet: made, changed and attached by descriptor, so no path is looked up twice.

open_tree(2), move_mount(2), fsopen(2), fsconfig(2), fsmount(2): Linux 5.2; mount_setattr(2): 5.12.
"""

from __future__ import annotations

import os
import stat
from errno import EINVAL, ENOTDIR

from orchestra.linux.mounts.mount import MOUNT_ATTR_RDONLY, set_attributes
from orchestra.linux.syscall import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_RECURSIVE,
    SystemCallError,
    c_char_p,
    c_int,
    c_uint,
    check,
    declare_number,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SYS_OPEN_TREE = 428
SYS_MOVE_MOUNT = 429
SYS_FSOPEN = 430
SYS_FSCONFIG = 431
SYS_FSMOUNT = 432

OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x04
MOVE_MOUNT_T_EMPTY_PATH = 0x40
FSOPEN_CLOEXEC = FSMOUNT_CLOEXEC = 1
FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE = 0, 1, 6
MOUNT_ATTR_IDMAP = 0x00100000

_open_tree = declare_number(SYS_OPEN_TREE, c_int, c_char_p, c_uint)
_move_mount = declare_number(SYS_MOVE_MOUNT, c_int, c_char_p, c_int, c_char_p, c_uint)
_fsopen = declare_number(SYS_FSOPEN, c_char_p, c_uint)
_fsconfig = declare_number(SYS_FSCONFIG, c_int, c_uint, c_char_p, c_char_p, c_int)
_fsmount = declare_number(SYS_FSMOUNT, c_int, c_uint, c_uint)


def clone(source: int | str, *, recursive: bool = False, about: str = "") -> int:
    """A descriptor of an unattached copy of the mount at ``source``, an O_PATH descriptor or a path.

    The mount itself must be attached, in our mount namespace. The copy ends with the descriptor, unless ``attach``
    comes first.
    """
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (AT_RECURSIVE if recursive else 0)
    if isinstance(source, int):
        result = _open_tree(source, b"", flags | AT_EMPTY_PATH)
    else:
        result = _open_tree(AT_FDCWD, os.fsencode(source), flags)
    return check(result, "open_tree", about or str(source))


def attach(tree: int, target: int, *, about: str = "") -> None:
    """Attach a mount to what the descriptor ``target`` refers to: both must be directories, or neither.

    Otherwise ENOTDIR, as from mount(2), since callers look for it.
    """
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    try:
        check(_move_mount(tree, b"", target, b"", flags), "move_mount", about)
    except SystemCallError as error:
        if error.errno != EINVAL or _is_directory(tree) == _is_directory(target):
            raise
        hint = "the source and the target of a mount must both be directories, or both files"
        raise SystemCallError(ENOTDIR, "move_mount", about, hint) from None


def _is_directory(fd: int) -> bool:
    return stat.S_ISDIR(os.fstat(fd).st_mode)


def make(kind: str, options: Iterable[str] = (), attributes: int = 0) -> int:
    """A new, unattached file system of that kind. options: ``name`` or ``name=value``."""
    context = check(_fsopen(kind.encode(), FSOPEN_CLOEXEC), "fsopen", kind)
    try:
        for option in options:
            name, is_valued, value = option.partition("=")
            command = FSCONFIG_SET_STRING if is_valued else FSCONFIG_SET_FLAG
            text = os.fsencode(value) if is_valued else None
            check(_fsconfig(context, command, name.encode(), text, 0), f"fsconfig {option} of", kind)
        check(_fsconfig(context, FSCONFIG_CMD_CREATE, None, None, 0), "fsconfig", kind)
        return check(_fsmount(context, FSMOUNT_CLOEXEC, attributes), "fsmount", kind)
    finally:
        os.close(context)


def map_owners(tree: int, user_namespace: int, *, recursive: bool = False, about: str = "") -> None:
    """Show the files of a detached mount with owners as ``user_namespace`` maps them (MOUNT_ATTR_IDMAP)."""
    try:
        set_attributes(tree, MOUNT_ATTR_IDMAP, recursive=recursive, about=about, user_namespace=user_namespace)
    except SystemCallError as error:
        if error.errno != EINVAL:
            raise
        hint = "the file system of its source cannot show other owners, or only on a newer kernel"
        raise SystemCallError(EINVAL, error.call, about, hint) from None


def read_only_file(path: str) -> int:
    """A descriptor of a file that cannot be opened for writing by any process that gets it, say by /proc/PID/exe.

    It is on a mount of its own, read-only and unattached, which no remount can reach.
    """
    tree = clone(os.path.realpath(path))
    try:
        set_attributes(tree, MOUNT_ATTR_RDONLY, about=path)
        # The tree's own descriptor is O_PATH and takes the mount along when closed. This one keeps the mount.
        return os.open(f"/proc/self/fd/{tree}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(tree)
