"""What may be mounted on the container's /proc: as in runc a procfs, and below it the files that lxcfs replaces.

Anything else would show a false kernel to programs that read it, and undo what masks and labels rely on
(CVE-2019-16884, CVE-2023-27561, CVE-2025-31133).
"""

from __future__ import annotations

import os
from errno import EINVAL

from orchestra.linux.mounts.procfs import PROC_SUPER_MAGIC, file_system_kind
from orchestra.linux.syscall import SystemCallError

PROC = "/proc"
MOUNTABLE = (
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
)
INSIDE = "it is inside /proc, where nothing may be mounted"
NO_PROC = "only a procfs may be mounted at /proc"


def is_inside(path: str) -> bool:
    """Whether ``path``, absolute and normalised, is below /proc where nothing may be mounted."""
    return path.startswith(f"{PROC}/") and path not in MOUNTABLE


def check_name(destination: str) -> None:
    """EINVAL for a destination that is inside /proc by its name alone: no mount point could be made there either."""
    if is_inside(os.path.normpath(destination)):
        raise SystemCallError(EINVAL, "mount", destination, INSIDE)


def check(root: int, target: int, destination: str, tree: int = -1) -> None:
    """The same for ``target``: the place that ``destination`` leads to through links of the image or of a volume.

    tree: what will be mounted; -1 for a new file system other than procfs.
    """
    place = os.readlink(f"/proc/self/fd/{target}")
    if PROC not in place:
        return
    path = place.removeprefix(os.readlink(f"/proc/self/fd/{root}"))
    if path == PROC and (tree == -1 or file_system_kind(tree) != PROC_SUPER_MAGIC):
        raise SystemCallError(EINVAL, "mount", destination, NO_PROC)
    if is_inside(path):
        raise SystemCallError(EINVAL, "mount", destination, INSIDE)
