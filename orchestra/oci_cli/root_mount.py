"""Mounts on the root of a container that shares its maker's mount namespace, and so outlive it."""

from __future__ import annotations

import os
import re
from errno import EINVAL

from orchestra.linux.mounts import mount
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def describe_root(path: str) -> dict[str, int]:
    """The topmost mount at ``path`` now: its number, and the mount namespace in which that number counts."""
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{fd}") as file:
            found = re.search(r"^mnt_id:\s*(\d+)", file.read(), re.MULTILINE)
    finally:
        os.close(fd)
    assert found is not None  # proc(5): since Linux 3.15
    return {"namespace": os.stat("/proc/self/ns/mnt").st_ino, "mount": int(found[1])}


def uncover_root(path: str, before: Mapping[str, int]) -> None:
    """Unmount everything that was mounted on ``path`` since ``before``, and below that. A second call does nothing."""
    try:
        while (now := describe_root(path)) != before and now["namespace"] == before["namespace"]:
            mount.unmount(path, mount.MNT_DETACH | mount.UMOUNT_NOFOLLOW)
    except FileNotFoundError:
        return
    except SystemCallError as error:
        if error.errno != EINVAL:  # no mount at all any more: the earlier one has gone too
            raise
