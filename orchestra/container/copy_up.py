"""Copying what a new file system covers into it: the mount option ``tmpcopyup``."""

from __future__ import annotations

import os
import stat
from errno import EPERM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def copy_up(below: int, above: int) -> None:
    """Copy the content of one directory into another, both by descriptor. Follows no links and skips sockets."""
    for name, status in _entries(below):
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            os.mkdir(name, 0o700, dir_fd=above)
            source, target = (os.open(name, FLAGS | os.O_DIRECTORY, dir_fd=place) for place in (below, above))
            try:
                _copy_owner(source, target)
                copy_up(source, target)
            finally:
                os.close(source)
                os.close(target)
        elif kind == stat.S_IFREG:
            _copy_file(name, below, above)
        elif kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=below), name, dir_fd=above)
            os.chown(name, status.st_uid, status.st_gid, dir_fd=above, follow_symlinks=False)
        elif kind != stat.S_IFSOCK:
            _copy_node(name, status, above)


def _entries(directory: int) -> Iterator[tuple[str, os.stat_result]]:
    for name in os.listdir(directory):
        yield name, os.stat(name, dir_fd=directory, follow_symlinks=False)


def _copy_owner(source: int, target: int) -> None:
    status = os.fstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))


def _copy_file(name: str, below: int, above: int) -> None:
    source = os.open(name, FLAGS, dir_fd=below)
    try:
        target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=above)
        try:
            while os.sendfile(target, source, None, 1 << 30):
                continue
            _copy_owner(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _copy_node(name: str, status: os.stat_result, above: int) -> None:
    try:
        os.mknod(name, status.st_mode, status.st_rdev, dir_fd=above)
    except OSError as error:
        if error.errno != EPERM:  # devices cannot be made in a user namespace
            raise
        return
    os.chown(name, status.st_uid, status.st_gid, dir_fd=above, follow_symlinks=False)
