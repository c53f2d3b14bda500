"""Namespaces: unshare(2) and setns(2), by a descriptor of a namespace file or of a process (pidfd, Linux 5.8)."""

from __future__ import annotations

import contextlib
import os
from errno import EINVAL

from orchestra.linux.syscall import SystemCallError, c_int, check, declare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

CLONE_NEWTIME = 0x00000080
CLONE_FS = 0x00000200
"""Not a namespace: for a thread that joins a mount namespace, which needs a root directory of its own (setns(2))."""
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
# Kinds whose file in /proc/PID/ns has another name.
FILES = {"mount": "mnt", "network": "net"}

USERS_HINT = "a machine may limit who makes user namespaces: user.max_user_namespaces, "
USERS_HINT += "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns"

_unshare = declare("unshare", c_int)
_setns = declare("setns", c_int, c_int)


def unshare(flags: int) -> None:
    hint = USERS_HINT if flags & CLONE_NEWUSER else ""
    check(_unshare(flags), "unshare", " ".join(name for name, flag in FLAGS.items() if flags & flag), hint)


def setns(fd: int, flags: int, *, about: str = "") -> None:
    """Join a namespace or, with a pidfd, all namespaces of that process that ``flags`` name, or none of them."""
    check(_setns(fd, flags), "setns", about or " ".join(name for name, flag in FLAGS.items() if flags & flag))


def join(path: str, flags: int) -> None:
    """Join the namespace that is pinned at ``path`` (or is a file of /proc/PID/ns)."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd, flags, about=path)
    finally:
        os.close(fd)


def is_ours(kind: str, process: int) -> bool:
    """Whether the process with that pid is in our namespace of that kind."""
    name = FILES.get(kind, kind)
    there, here = os.stat(f"/proc/{process}/ns/{name}"), os.stat(f"/proc/self/ns/{name}")
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def processes_beside(process: int) -> list[int]:
    """All processes in the PID namespace of this one, which is included; only itself if we share or cannot see that."""
    try:
        if is_ours("pid", process):
            return [process]
        wanted = os.stat(f"/proc/{process}/ns/pid").st_ino
    except PermissionError:
        return [process]
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it belongs to another user, or has ended meanwhile
            if os.stat(f"/proc/{name}/ns/pid").st_ino == wanted:
                found.append(int(name))
    return sorted(found)


def apart_in(path: str, kind: str) -> list[int]:
    """The processes in the namespace of that kind that is pinned at ``path``, but for those of our PID namespace."""
    wanted = os.stat(path).st_ino
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it belongs to another user, or has ended meanwhile
            if os.stat(f"/proc/{name}/ns/{FILES.get(kind, kind)}").st_ino == wanted and not is_ours("pid", int(name)):
                found.append(int(name))
    return found


def write_time_offsets(process: int, offsets: Mapping[str, Mapping[str, int]]) -> None:
    """Set the clocks of a new time namespace while no process is in it (time_namespaces(7)).

    process: the directory in /proc of its maker; offsets: ``linux.timeOffsets``, by the name of the clock.
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
