"""What a container must not see, or not change: masked and read-only paths."""

from __future__ import annotations

import os
import stat
from errno import ENODEV, ENOENT, ENOTDIR

from orchestra.linux.mounts import mount, mount_tree, resolve
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = mount.MOUNT_ATTR_RDONLY | mount.MOUNT_ATTR_NOSUID | mount.MOUNT_ATTR_NODEV | mount.MOUNT_ATTR_NOEXEC


def hide(root: int, masked: Iterable[str], read_only: Iterable[str]) -> None:
    """root: a descriptor of the container's. Paths that do not exist are skipped.

    Each path is looked up once and covered by descriptor: even if a path is replaced meanwhile, the mount cannot land
    elsewhere, and what covers a file is certainly the null device.
    """
    null = directory = -1
    try:
        for path in masked:
            target = _find(root, path)
            if target < 0:
                continue
            try:
                if stat.S_ISDIR(os.fstat(target).st_mode):
                    if directory < 0:
                        directory = mount_tree.make("tmpfs", ("nr_inodes=2", "mode=755", "ro"), HIDDEN)
                        mount_tree.attach(directory, target, about=path)
                        continue
                    # Clone a mount that is attached already: detached ones cannot be cloned before Linux 6.15.
                    cover = mount_tree.clone(directory, about=path)
                else:
                    if null < 0:
                        null = _open_null(root)
                    cover = mount_tree.clone(null, about="/dev/null")
                try:
                    mount_tree.attach(cover, target, about=path)
                finally:
                    os.close(cover)
            finally:
                os.close(target)
    finally:
        for fd in (null, directory):
            if fd >= 0:
                os.close(fd)
    for path in read_only:
        target = _find(root, path)
        if target < 0:
            continue
        try:
            cover = mount_tree.clone(target, recursive=True, about=path)
            try:
                mount.set_attributes(cover, mount.MOUNT_ATTR_RDONLY, about=path)
                mount_tree.attach(cover, target, about=path)
            finally:
                os.close(cover)
        finally:
            os.close(target)


def _find(root: int, path: str) -> int:
    try:
        return resolve.open_in_root(root, path)
    except SystemCallError as error:
        if error.errno in (ENOENT, ENOTDIR):
            return -1
        raise


def _open_null(root: int) -> int:
    """An image may have a /dev/null of its own: a file or a link there would show through wherever a path is masked."""
    fd = resolve.open_in_root(root, "/dev/null", os.O_PATH | os.O_NOFOLLOW)
    status = os.fstat(fd)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(1, 3):
        os.close(fd)
        raise SystemCallError(ENODEV, "mount", "/dev/null", "it is not the null device, so no file can be masked by it")
    return fd
