"""Owner, mode, extended attributes and time of the entries of a layer's archive."""

from __future__ import annotations

import os
import stat
from decimal import Decimal, InvalidOperation
from errno import EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING

from orchestra.driver.local.image.layers.lookup import OVERLAY, OVERLAY_OF_USERS
from orchestra.errors import FatalError
from orchestra.home import is_rootless

if TYPE_CHECKING:
    import tarfile

XATTR = "SCHILY.xattr."
# overlayfs uses these itself: in an archive they could make it look where it should not.
RESERVED_XATTRS = (OVERLAY, OVERLAY_OF_USERS)
# (uid_t)-1 means "leave as it is" to chown(2).
ID_LIMIT = 0xFFFFFFFE
INTEGER_LIMIT = 1 << 40
SECONDS_LIMIT = Decimal(INTEGER_LIMIT)


def set_open(what: str, fd: int, entry: tarfile.TarInfo) -> None:
    """Owner, mode, extended attributes and time of an open file or directory, in this order: each clears or changes
    some of the later ones.
    """
    uid, gid = _owner(what, entry)
    os.fchown(fd, uid, gid)
    os.fchmod(fd, stat.S_IMODE(entry.mode))
    _set_xattrs(what, fd, entry)
    time = entry_time(entry)
    os.utime(fd, ns=(time, time))


def set_attributes(what: str, parent: int, name: str, entry: tarfile.TarInfo) -> None:
    """The same for entries that cannot or should not be opened."""
    uid, gid = _owner(what, entry)
    os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)
    if not entry.issym() or entry.pax_headers:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            # This is the only way to use a descriptor opened with O_PATH; it leads to a symbolic link itself.
            path = f"/proc/self/fd/{fd}"
            if not entry.issym():
                os.chmod(path, stat.S_IMODE(entry.mode))
            _set_xattrs(what, path, entry)
        finally:
            os.close(fd)
    time = entry_time(entry)
    os.utime(name, ns=(time, time), dir_fd=parent, follow_symlinks=False)


def _owner(what: str, entry: tarfile.TarInfo) -> tuple[int, int]:
    if not (0 <= entry.uid <= ID_LIMIT and 0 <= entry.gid <= ID_LIMIT):
        raise refused(what, entry, f"has owner {entry.uid}:{entry.gid}")
    if is_rootless(os.environ):
        from orchestra.rootless.ids import mapped

        return mapped("uid", entry.uid), mapped("gid", entry.gid)
    return entry.uid, entry.gid


def _set_xattrs(what: str, file: int | str, entry: tarfile.TarInfo) -> None:
    for key, value in entry.pax_headers.items():
        if key.startswith(XATTR) and not key.removeprefix(XATTR).startswith(RESERVED_XATTRS):
            _set_xattr(what, file, entry, key.removeprefix(XATTR), value)


def _set_xattr(what: str, file: int | str, entry: tarfile.TarInfo, name: str, value: str) -> None:
    if "\0" in name:
        raise refused(what, entry, f"has an extended attribute named {name!r}")
    try:
        os.setxattr(file, name, value.encode("utf-8", "surrogateescape"))
    except OSError as error:
        if error.errno == EOPNOTSUPP or (error.errno == EPERM and is_rootless(os.environ)):
            return  # for a security module that this machine does not have, or keeps to itself
        raise refused(
            what, entry, f"has the extended attribute {name!r}, which cannot be set: {error.strerror}"
        ) from error


def entry_time(entry: tarfile.TarInfo) -> int:
    """Nanoseconds. PAX has decimal fractions, whose last digits are lost in ``entry.mtime``, a float."""
    exact = entry.pax_headers.get("mtime")
    if exact is None and isinstance(entry.mtime, int):
        return max(-INTEGER_LIMIT, min(entry.mtime, INTEGER_LIMIT)) * 1_000_000_000
    try:
        seconds = Decimal(exact or str(entry.mtime))
        return int(max(-SECONDS_LIMIT, min(seconds, SECONDS_LIMIT)) * 1_000_000_000)
    except (InvalidOperation, ValueError, OverflowError):  # not a number, or NaN
        return 0


def refused(what: str, entry: tarfile.TarInfo, why: str) -> FatalError:
    return FatalError(f"{what}: {entry.name!r} {why}", hint="make the image again, or do not trust it")
