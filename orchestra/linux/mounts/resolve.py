"""Paths inside an untrusted directory: openat2(2) keeps every symbolic link and every ``..`` within it."""

from __future__ import annotations

import ctypes
import os
import stat
from errno import EAGAIN, EIO, ELOOP, ENOENT, ENOTDIR

from orchestra.linux.syscall import (
    SYS_OPENAT2,
    SystemCallError,
    c_char_p,
    c_int,
    c_ulong,
    c_void_p,
    check,
    declare_number,
)

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

MAX_SYMBOLIC_LINKS = 40
# openat2(2) fails with EAGAIN if anything was renamed or mounted while it went through "..", and must be repeated.
ATTEMPTS = 100


_openat2 = declare_number(SYS_OPENAT2, c_int, c_char_p, c_void_p, c_ulong)


class _OpenHow(ctypes.Structure):
    """struct open_how of linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_in_root(root: int, path: str, flags: int = os.O_PATH, mode: int = 0) -> int:
    """Open ``path`` as if the directory ``root`` were ``/``. The descriptor is close-on-exec."""
    return open_with(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, mode)


def open_with(directory: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """openat2(2). resolve: RESOLVE_ flags. The descriptor is close-on-exec."""
    return check(_open(directory, path, flags, resolve, mode), "openat2", path)


def _open(directory: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    for _ in range(ATTEMPTS):
        result = _openat2(directory, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
        if result != -1 or ctypes.get_errno() != EAGAIN:
            break
    return result


def ensure_in_root(root: int, path: str, *, directory: bool, mode: int = 0o755) -> int:
    """Open ``path`` below ``root``, making missing directories, and the file or directory at its end.

    Dangling symbolic links are followed within the root and their targets made, so that a mount over
    ``/etc/resolv.conf`` works if that is a link to a file that only exists on a booted machine. O_PATH.
    """
    flags = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
    found = _open(root, path, os.O_PATH, flags)
    if found == -1 and ctypes.get_errno() == ENOENT:
        # Usually only the last part is missing.
        parent, _, name = path.rstrip("/").rpartition("/")
        above = _open(root, parent or "/", os.O_PATH | os.O_DIRECTORY, flags) if name not in ("", ".", "..") else -1
        if above >= 0 and _make(above, name, directory=directory, mode=mode, about=path):
            found = _open(root, path, os.O_PATH, flags)
        else:
            found = _ensure_each(root, path, directory=directory, mode=mode)
    return check(found, "openat2", path)


def _ensure_each(root: int, path: str, *, directory: bool, mode: int) -> int:
    """Step by step. Links are resolved here, since their targets may be missing too."""
    pending = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    done: list[str] = []
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            done = done[:-1]
            continue
        last = not pending
        here = "/".join([*done, part])
        try:
            fd = open_in_root(root, here, os.O_PATH | os.O_NOFOLLOW)
        except SystemCallError as error:
            if error.errno != ENOENT:
                raise
            above = open_in_root(root, "/".join(done) or "/", os.O_PATH | os.O_DIRECTORY)
            _make(above, part, directory=directory or not last, mode=mode, about=here)
            fd = open_in_root(root, here, os.O_PATH | os.O_NOFOLLOW)
        try:
            kind = os.fstat(fd).st_mode
            if stat.S_ISLNK(kind):
                links += 1
                if links > MAX_SYMBOLIC_LINKS:
                    raise SystemCallError(ELOOP, "openat2", path)
                link = os.readlink("", dir_fd=fd)
                pending.extend(step for step in reversed(link.split("/")) if step not in ("", "."))
                done = [] if link.startswith("/") else done
                continue
            if not last and not stat.S_ISDIR(kind):
                raise SystemCallError(ENOTDIR, "openat2", here)
        finally:
            os.close(fd)
        done.append(part)
    return open_in_root(root, "/".join(done) or "/")


def _make(parent: int, name: str, *, directory: bool, mode: int, about: str) -> bool:
    """Make one missing entry, unless it exists by now.

    Closes ``parent``: a descriptor, so that it cannot be swapped.
    """
    try:
        if directory:
            os.mkdir(name, mode, dir_fd=parent)
        else:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode & 0o666, dir_fd=parent))
    except FileExistsError:
        return False
    except OSError as error:
        raise SystemCallError(error.errno or EIO, "mkdir" if directory else "open", about) from None
    finally:
        os.close(parent)
    return True
