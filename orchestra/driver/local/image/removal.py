"""Removing directory trees shaped by containers or archives: deep, odd or hostile, but never leading out."""

from __future__ import annotations

import os
import stat
from errno import EBUSY

from orchestra.linux import whole_files

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
GONE = (FileNotFoundError, NotADirectoryError, PermissionError)


def remove_tree(path: str) -> None:
    """Remove whatever is at ``path``; does nothing if there is nothing. Raises OSError.

    Follows no symbolic link and enters no mount: mounts raise EBUSY, and what is below them stays untouched.
    """
    parent, name = os.path.split(path)
    try:
        fd = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        remove_entry(fd, name)
    finally:
        os.close(fd)


def remove_entry(parent: int, name: str) -> None:
    """The same for the entry ``name`` of the directory ``parent``."""
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        pass
    else:
        return
    fd = os.open(name, DIRECTORY, dir_fd=parent)
    try:
        if mount_of(fd) != mount_of(parent):
            raise OSError(EBUSY, os.strerror(EBUSY), name)
        _empty(fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent)


def _empty(top: int) -> None:
    """Remove everything below ``top``, with two descriptors and no recursion at any depth.

    Each directory is first moved to the top, so that all are emptied one level below it. The move also guards against
    mounts: rename(2) of a mount point is EBUSY.
    """
    token = os.urandom(8).hex()
    pending: list[str] = []
    moved = _sweep(top, top, token, 0, pending)
    while pending:
        name = pending.pop()
        fd = os.open(name, DIRECTORY, dir_fd=top)
        try:
            moved = _sweep(fd, top, token, moved, pending)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=top)


def _sweep(directory: int, top: int, token: str, moved: int, pending: list[str]) -> int:
    with os.scandir(directory) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        if is_directory:
            here = f".{token}.{moved}"
            moved += 1
            os.rename(name, here, src_dir_fd=directory, dst_dir_fd=top)
            pending.append(here)
        else:
            os.unlink(name, dir_fd=directory)
    return moved


def mount_of(fd: int) -> bytes:
    """The id of the mount a descriptor is on (proc_pid_fdinfo(5)): st_dev is equal for two binds of one file system."""
    lines = whole_files.read(f"/proc/self/fdinfo/{fd}").splitlines()
    return next((line for line in lines if line.startswith(b"mnt_id:")), b"")


def tree_size(path: str) -> int:
    """Bytes on disk of everything below, counting each file once however many names it has; 0 if it is no directory.

    A tree may be deeper than the longest path that the kernel takes, and than descriptors may be open. What may not be
    read, or is removed meanwhile, is left out.
    """
    try:
        here = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except GONE:
        return 0
    levels: list[tuple[tuple[int, int], list[str]]] = []
    seen: set[int] = set()
    total = 0
    try:
        names = _names(here)
        while names or levels:
            if not names:
                above, names = levels.pop()
                here = _exchange(here, os.open("..", DIRECTORY, dir_fd=here))
                if _identity(here) != above:
                    break  # a container has moved it meanwhile, so what is above is something else
                continue
            try:
                name = names.pop()
                status = os.stat(name, dir_fd=here, follow_symlinks=False)
                if status.st_ino not in seen:
                    seen.add(status.st_ino)
                    total += status.st_blocks * 512
                if stat.S_ISDIR(status.st_mode):
                    below = os.open(name, DIRECTORY, dir_fd=here)
                    levels.append((_identity(here), names))
                    here = _exchange(here, below)
                    names = _names(here)
            except GONE:
                continue
    except FileNotFoundError:
        pass  # where it is has been removed, so there is no way up
    finally:
        os.close(here)
    return total


def _names(directory: int) -> list[str]:
    try:
        return os.listdir(directory)
    except GONE:
        return []


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _exchange(old: int, new: int) -> int:
    os.close(old)
    return new
