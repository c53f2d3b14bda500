"""Namespaces: unshare(2) and setns(2), by descriptor of a namespace file or of a process (pidfd, Linux 5.8)."""

from __future__ import annotations

import os
from errno import EINVAL

from orchestra.linux.syscall import SystemCallError, c_int, check, declare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# Type of a namespace in an OCI config: its flag.
FLAGS = {
    "mount": CLONE_NEWNS,
    "pid": CLONE_NEWPID,
    "network": CLONE_NEWNET,
    "ipc": CLONE_NEWIPC,
    "uts": CLONE_NEWUTS,
    "cgroup": CLONE_NEWCGROUP,
    "user": CLONE_NEWUSER,
    "time": CLONE_NEWTIME,
}

_unshare = declare("unshare", c_int)
_setns = declare("setns", c_int, c_int)


def unshare(flags: int) -> None:
    check(_unshare(flags), "unshare", " ".join(name for name, flag in FLAGS.items() if flags & flag))


def setns(fd: int, flags: int, *, about: str = "") -> None:
    """Join a namespace, or with a pidfd every namespace of that process that ``flags`` names, all or none."""
    check(_setns(fd, flags), "setns", about or " ".join(name for name, flag in FLAGS.items() if flags & flag))


def join(path: str, flags: int) -> None:
    """Join the namespace that is pinned at ``path`` (or is a file of /proc/PID/ns)."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd, flags, about=path)
    finally:
        os.close(fd)


def write_time_offsets(process: int, offsets: Mapping[str, Mapping[str, int]]) -> None:
    """Set the clocks of a new time namespace, before anybody is in it (time_namespaces(7)).

    process: the directory in /proc of who has made it; offsets: ``linux.timeOffsets``, by the name of the clock.
    """
    text = "".join(f"{clock} {row.get('secs', 0)} {row.get('nanosecs', 0)}\n" for clock, row in offsets.items())
    if not text:
        return
    fd = os.open("timens_offsets", os.O_WRONLY | os.O_CLOEXEC, dir_fd=process)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        hint = "a clock is monotonic or boottime, and no clock may come to show a negative time"
        raise SystemCallError(error.errno or EINVAL, "write", "timens_offsets", hint) from error
    finally:
        os.close(fd)
