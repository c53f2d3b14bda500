"""Mounting: mount(2), umount2(2), pivot_root(2), mount_setattr(2), and the option words of the OCI runtime spec."""

from __future__ import annotations

import ctypes
import os

from orchestra.linux.syscall import (
    AT_EMPTY_PATH,
    AT_RECURSIVE,
    SYS_MOUNT_SETATTR,
    c_char_p,
    c_int,
    c_ulong,
    c_void_p,
    check,
    declare,
    declare_number,
)
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_MANDLOCK = 0x40
MS_DIRSYNC = 0x80
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_NOSYMFOLLOW = 0x100
MS_REC = 0x4000
MS_SILENT = 0x8000
MS_UNBINDABLE = 0x20000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MS_RELATIME = 0x200000
MS_STRICTATIME = 0x1000000
MS_I_VERSION = 0x800000
MS_LAZYTIME = 0x2000000

MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_ATIME = 0x70
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

# Option word: (flags it sets, flags it clears). Words for propagation and recursion are listed separately.
FLAGS = {
    "ro": (MS_RDONLY, 0),
    "rw": (0, MS_RDONLY),
    "nosuid": (MS_NOSUID, 0),
    "suid": (0, MS_NOSUID),
    "nodev": (MS_NODEV, 0),
    "dev": (0, MS_NODEV),
    "noexec": (MS_NOEXEC, 0),
    "exec": (0, MS_NOEXEC),
    "sync": (MS_SYNCHRONOUS, 0),
    "async": (0, MS_SYNCHRONOUS),
    "dirsync": (MS_DIRSYNC, 0),
    "mand": (MS_MANDLOCK, 0),
    "nomand": (0, MS_MANDLOCK),
    "noatime": (MS_NOATIME, 0),
    "atime": (0, MS_NOATIME),
    "nodiratime": (MS_NODIRATIME, 0),
    "diratime": (0, MS_NODIRATIME),
    "relatime": (MS_RELATIME, 0),
    "norelatime": (0, MS_RELATIME),
    "strictatime": (MS_STRICTATIME, 0),
    "nostrictatime": (0, MS_STRICTATIME),
    "lazytime": (MS_LAZYTIME, 0),
    "nolazytime": (0, MS_LAZYTIME),
    "iversion": (MS_I_VERSION, 0),
    "noiversion": (0, MS_I_VERSION),
    "nosymfollow": (MS_NOSYMFOLLOW, 0),
    "symfollow": (0, MS_NOSYMFOLLOW),
    "silent": (MS_SILENT, 0),
    "loud": (0, MS_SILENT),
    "bind": (MS_BIND, 0),
    "rbind": (MS_BIND | MS_REC, 0),
    "remount": (MS_REMOUNT, 0),
    "defaults": (0, 0),
}
PROPAGATION = {
    "private": MS_PRIVATE,
    "rprivate": MS_PRIVATE | MS_REC,
    "slave": MS_SLAVE,
    "rslave": MS_SLAVE | MS_REC,
    "shared": MS_SHARED,
    "rshared": MS_SHARED | MS_REC,
    "unbindable": MS_UNBINDABLE,
    "runbindable": MS_UNBINDABLE | MS_REC,
}
# Option word: (attributes it sets, attributes it clears) of the mount and all below it. The three ways to keep access
# times are one field: it is cleared to set another.
RECURSIVE = {
    "rro": (MOUNT_ATTR_RDONLY, 0),
    "rrw": (0, MOUNT_ATTR_RDONLY),
    "rnosuid": (MOUNT_ATTR_NOSUID, 0),
    "rsuid": (0, MOUNT_ATTR_NOSUID),
    "rnodev": (MOUNT_ATTR_NODEV, 0),
    "rdev": (0, MOUNT_ATTR_NODEV),
    "rnoexec": (MOUNT_ATTR_NOEXEC, 0),
    "rexec": (0, MOUNT_ATTR_NOEXEC),
    "rnodiratime": (MOUNT_ATTR_NODIRATIME, 0),
    "rdiratime": (0, MOUNT_ATTR_NODIRATIME),
    "rrelatime": (0, MOUNT_ATTR_ATIME),
    "rnorelatime": (MOUNT_ATTR_STRICTATIME, MOUNT_ATTR_ATIME),
    "rnoatime": (MOUNT_ATTR_NOATIME, MOUNT_ATTR_ATIME),
    "ratime": (0, MOUNT_ATTR_ATIME),
    "rstrictatime": (MOUNT_ATTR_STRICTATIME, MOUNT_ATTR_ATIME),
    "rnostrictatime": (0, MOUNT_ATTR_ATIME),
    "rnosymfollow": (MOUNT_ATTR_NOSYMFOLLOW, 0),
    "rsymfollow": (0, MOUNT_ATTR_NOSYMFOLLOW),
}
IDMAP = {"idmap": False, "ridmap": True}
OWNER_MAPS = tuple(f"{word}=" for word in IDMAP)
TMPCOPYUP = "tmpcopyup"
COPY_SYMLINK = "copy-symlink"
# The same property as a flag of mount(2) and as an attribute of mount_setattr(2).
ATTRIBUTES = {
    MS_RDONLY: MOUNT_ATTR_RDONLY,
    MS_NOSUID: MOUNT_ATTR_NOSUID,
    MS_NODEV: MOUNT_ATTR_NODEV,
    MS_NOEXEC: MOUNT_ATTR_NOEXEC,
    MS_NODIRATIME: MOUNT_ATTR_NODIRATIME,
    MS_NOSYMFOLLOW: MOUNT_ATTR_NOSYMFOLLOW,
    MS_NOATIME: MOUNT_ATTR_NOATIME,
    MS_STRICTATIME: MOUNT_ATTR_STRICTATIME,
}

_mount = declare("mount", c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
_umount2 = declare("umount2", c_char_p, c_int)
_pivot_root = declare("pivot_root", c_char_p, c_char_p)
_mount_setattr = declare_number(SYS_MOUNT_SETATTR, c_int, c_char_p, c_int, c_void_p, c_ulong)


class _MountAttr(ctypes.Structure):
    """struct mount_attr of linux/mount.h."""

    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


class Options(NamedTuple):
    """Mount options taken apart. recursive, recursively_cleared: MOUNT_ATTR bits for the whole tree.

    data: for the file system; owners: whether the mount maps them, or if True everything below it too, by owner_maps;
    copies_up: whether a new file system gets a copy of what it covers; copies_link: whether a source that is a symbolic
    link is copied rather than mounted.
    """

    flags: int = 0
    cleared: int = 0
    propagation: tuple[int, ...] = ()
    recursive: int = 0
    data: str = ""
    recursively_cleared: int = 0
    owners: bool | None = None
    copies_up: bool = False
    copies_link: bool = False
    owner_maps: str = ""


def parse_options(words: Iterable[str]) -> Options:
    """Sort option words. Unknown words belong to the file system and are passed on in order."""
    flags = cleared = recursive = recursively_cleared = 0
    owners: bool | None = None
    copies_up = copies_link = False
    propagation: list[int] = []
    data: list[str] = []
    owner_maps = ""
    for word in words:
        if word in FLAGS:
            on, off = FLAGS[word]
            flags = flags & ~off | on
            cleared = cleared & ~on | off
        elif word in PROPAGATION:
            propagation.append(PROPAGATION[word])
        elif word in RECURSIVE:
            on, off = RECURSIVE[word]
            recursive = recursive & ~off | on
            recursively_cleared = recursively_cleared & ~on | off
        elif word in IDMAP:
            owners = IDMAP[word]
        elif word.startswith(OWNER_MAPS):
            name, _, owner_maps = word.partition("=")
            owners = IDMAP[name]
        elif word == TMPCOPYUP:
            copies_up = True
        elif word == COPY_SYMLINK:
            copies_link = True
        else:
            data.append(word)
    text = ",".join(data)
    return Options(
        flags,
        cleared,
        tuple(propagation),
        recursive,
        text,
        recursively_cleared,
        owners,
        copies_up,
        copies_link,
        owner_maps,
    )


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "", *, about: str = "") -> None:
    """mount(2). about: the path to name in an error if ``target`` is only a way to reach it."""
    result = _mount(
        os.fsencode(source), os.fsencode(target), kind.encode() or None, flags, os.fsencode(data) if data else None
    )
    check(result, f"mount {kind or source or 'propagation'} at".replace("  ", " "), about or target)


def set_attributes(
    fd: int,
    attributes: int,
    *,
    cleared: int = 0,
    propagation: int = 0,
    user_namespace: int = 0,
    recursive: bool = False,
    about: str = "",
) -> None:
    """mount_setattr(2) on the mount whose root ``fd`` is: unlike a remount it leaves everything else unchanged.

    propagation: one of MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE; user_namespace: for MOUNT_ATTR_IDMAP.
    """
    if attributes & MOUNT_ATTR_ATIME:
        cleared |= MOUNT_ATTR_ATIME  # one field in the kernel: to set one of its values the old one must be cleared
    attr = _MountAttr(attributes, cleared, propagation, user_namespace)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    result = _mount_setattr(fd, b"", flags, ctypes.byref(attr), ctypes.sizeof(attr))
    check(result, "mount_setattr", about)


def attributes_of(flags: int) -> int:
    """Flags of mount(2) as attributes of mount_setattr(2), as far as a bind mount can have them."""
    return sum(attribute for flag, attribute in ATTRIBUTES.items() if flags & flag)


def unmount(target: str, flags: int = 0) -> None:
    check(_umount2(os.fsencode(target), flags), "umount2", target)


def pivot_root(new: str, old: str) -> None:
    check(_pivot_root(os.fsencode(new), os.fsencode(old)), "pivot_root", new)
