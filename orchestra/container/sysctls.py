"""``linux.sysctl``: kernel parameters that belong to the container alone.

Most of /proc/sys belongs to the machine. A parameter that has no namespace, or one whose namespace the container shares
with the machine, is refused before anything is made.
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

# ipc/ipc_sysctl.c and ipc/mq_sysctl.c of the kernel; kernel/utsname_sysctl.c, except the host name: it has its own
# field.
KERNEL_IPC = """auto_msgmni msgmax msgmnb msgmni msg_next_id sem sem_next_id
shmall shmmax shmmni shm_next_id shm_rmid_forced"""
BELOW = (("net/", "network"), ("fs/mqueue/", "ipc"), ("user/", "user"))


def check(linux: Linux) -> None:
    """EINVAL for a parameter that does not certainly belong to one of the container's own namespaces."""
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

    Values are written to the kernel's own files or not at all: neither a link nor another mount at /proc/sys is
    followed.
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
    """Words are separated by slashes or by dots: sysctl(8)."""
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
