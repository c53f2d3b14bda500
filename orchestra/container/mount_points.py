"""What the new root holds at a place where something is to be mounted."""

from __future__ import annotations

import os
import stat
from errno import ELOOP, ENOENT

from orchestra.linux.mounts import resolve
from orchestra.linux.syscall import SystemCallError


def inherited(root: int, path: str, data: str, *, owner: bool) -> list[str]:
    """Options from a directory of the image that a tmpfs covers: its mode, unless ``data`` sets one.

    owner: its owner as well.
    """
    given = {word.partition("=")[0] for word in data.split(",")}
    if "mode" in given and not owner:
        return []
    try:
        fd = resolve.open_in_root(root, path, os.O_PATH | os.O_DIRECTORY)
    except SystemCallError as error:
        if error.errno != ENOENT:
            raise
        return []
    try:
        status = os.fstat(fd)
    finally:
        os.close(fd)
    found = {"mode": f"{stat.S_IMODE(status.st_mode):o}"}
    if owner:
        found |= {"uid": str(status.st_uid), "gid": str(status.st_gid)}
    return [f"{name}={value}" for name, value in found.items() if name not in given]


def check_is_no_link(root: int, path: str) -> None:
    """A container that shares a volume must not move the places of proc and sysfs: masks are mounted there."""
    try:
        fd = resolve.open_in_root(root, path, os.O_PATH | os.O_NOFOLLOW)
    except SystemCallError as error:
        if error.errno != ENOENT:
            raise
        return
    try:
        if stat.S_ISLNK(os.fstat(fd).st_mode):
            raise SystemCallError(ELOOP, "mount", path, "it must be mounted on ordinary directory, not on a link")
    finally:
        os.close(fd)
