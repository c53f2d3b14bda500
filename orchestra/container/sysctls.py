"""``linux.sysctl``: kernel parameters that are the container's own, and of no one else.

Most of /proc/sys is the machine's. What is not of a namespace, or of one that the container shares with the machine, is
refused before anything is made.
"""

from __future__ import annotations

import os
from errno import EINVAL

from orchestra.container.isolation import Namespaces
from orchestra.linux.mounts import procfs
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.container.configuration import Linux

# ipc/ipc_sysctl.c and ipc/mq_sysctl.c of the kernel; kernel/utsname_sysctl.c, whose host name has a field of its own.
KERNEL_IPC = """auto_msgmni msgmax msgmnb msgmni msg_next_id sem sem_next_id
shmall shmmax shmmni shm_next_id shm_rmid_forced"""
BELOW = (("net/", "network"), ("fs/mqueue/", "ipc"), ("user/", "user"))


def check(linux: Linux) -> None:
    """EINVAL for a parameter that is not, or not certainly, of a namespace of the container's own."""
    if not linux.sysctl:
        return
    space = Namespaces(linux)
    for key in linux.sysctl:
        path = _path(key)
        if path == "kernel/hostname":
            raise _refused(key, "the host name is said by the field hostname")
        kind = _namespace_of(path)
        if not kind or set(path.split("/")) & {"", ".", ".."}:
            raise _refused(key, "it belongs to no namespace: the machine's would be changed")
        if kind not in space or _is_shared(kind, space):
            raise _refused(key, f"without a {kind} namespace of its own the machine's would be changed")


def apply(root: int, values: Mapping[str, str]) -> None:
    """root: a descriptor of the container's, whose /proc/sys is not read-only yet.

    They are written to a kernel's own file or not at all: neither a link nor another mount at /proc/sys is followed.
    """
    if not values:
        return
    proc = procfs.open_root(root, "sys")
    try:
        for key, value in values.items():
            try:
                procfs.write(proc, _path(key), value)
            except OSError as error:
                raise SystemCallError(error.errno or 0, "sysctl", key) from error
    finally:
        os.close(proc)


def _path(key: str) -> str:
    """sysctl(8): slashes part the words, or dots."""
    return key if "/" in key else key.replace(".", "/")


def _namespace_of(path: str) -> str:
    if path.startswith("kernel/") and path.removeprefix("kernel/") in KERNEL_IPC.split():
        return "ipc"
    if path == "kernel/domainname":
        return "uts"
    return next((kind for prefix, kind in BELOW if path.startswith(prefix)), "")


def _is_shared(kind: str, space: Namespaces) -> bool:
    path = space.paths.get(kind)
    return path is not None and os.path.samefile(path, f"/proc/self/ns/{'net' if kind == 'network' else kind}")


def _refused(key: str, hint: str) -> SystemCallError:
    return SystemCallError(EINVAL, "sysctl", key, hint)
