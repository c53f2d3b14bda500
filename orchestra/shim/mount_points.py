"""What is in the new root where something is to be mounted."""

from __future__ import annotations

import os
import stat
from errno import ELOOP, ENOENT

from orchestra.linux import resolve
from orchestra.linux.syscall import SystemCallError


def mode_option(root: int, path: str) -> list[str]:
    """A directory of the image that a tmpfs covers says who may do what in it, where the options do not."""
    try:
        fd = resolve.open_in_root(root, path, os.O_PATH | os.O_DIRECTORY)
    except SystemCallError as error:
        if error.errno != ENOENT:
            raise
        return []
    try:
        return [f"mode={stat.S_IMODE(os.fstat(fd).st_mode):o}"]
    finally:
        os.close(fd)


def check_is_no_link(root: int, path: str) -> None:
    """Where proc and sysfs are is for nobody to change who shares a volume with the container: masks follow there."""
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
