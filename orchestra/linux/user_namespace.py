"""User namespaces and their maps (user_namespaces(7)): /proc/PID/uid_map and gid_map, in the OCI spec's words."""

from __future__ import annotations

import os
import signal

from orchestra.linux import namespaces
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def render_map(mappings: Iterable[Mapping[str, int]]) -> str:
    """Lines of ``containerID hostID size``."""
    return "".join(f"{row['containerID']} {row['hostID']} {row['size']}\n" for row in mappings)


def write_maps(pid: int, users: Iterable[Mapping[str, int]], groups: Iterable[Mapping[str, int]]) -> None:
    """For a process that has just entered a new user namespace: once and for all, and whole."""
    for name, mappings in (("uid_map", users), ("gid_map", groups)):
        text = render_map(mappings)
        path = f"/proc/{pid}/{name}"
        if not text:
            continue
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        except OSError as error:
            hint = "ranges must not overlap, and must be ours to give: see /etc/subuid and /etc/subgid"
            raise SystemCallError(error.errno or 0, "write", path, hint) from error
        finally:
            os.close(fd)


def make(users: Iterable[Mapping[str, int]], groups: Iterable[Mapping[str, int]]) -> int:
    """A descriptor of a user namespace with these maps and nobody in it, such as a mapped mount wants."""
    ready, tell = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            namespaces.unshare(namespaces.CLONE_NEWUSER)
            os.write(tell, b"y")
            signal.pause()
        finally:
            # The last frame of a forked process: it must not run on in its parent's code.
            os._exit(1)
    os.close(tell)
    try:
        if not os.read(ready, 1):
            raise SystemCallError(1, "unshare", "user", "see /proc/sys/user/max_user_namespaces")
        write_maps(pid, users, groups)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
