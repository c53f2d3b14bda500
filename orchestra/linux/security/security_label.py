"""Labels of security modules for the next executed program: AppArmor profiles and SELinux contexts."""

from __future__ import annotations

import os
from errno import EINVAL, ENOENT, EOPNOTSUPP

from orchestra.linux.mounts import resolve
from orchestra.linux.mounts.procfs import PROC_SUPER_MAGIC, STRICT, file_system_kind, open_root
from orchestra.linux.syscall import SystemCallError

APPARMOR = "apparmor"
SELINUX = "selinux"
SWITCH = "/sys/module/apparmor/parameters/enabled"
# Since Linux 5.8 and 6.8 each module has a directory; before, the active one has the common directory.
PLACES = {APPARMOR: ("thread-self/attr/apparmor/exec", "thread-self/attr/exec"), SELINUX: ("thread-self/attr/exec",)}


def is_active(module: str) -> bool:
    """Whether the running kernel labels programs with this module."""
    if module == SELINUX:
        with open("/proc/filesystems") as file:
            return any(line.split()[-1] == "selinuxfs" for line in file)
    try:
        with open(SWITCH) as file:
            return file.read(1) == "Y"
    except OSError:
        return False


def require(module: str, label: str) -> None:
    """EOPNOTSUPP if nothing would apply the label: a program must not run less confined than was asked for."""
    if not is_active(module):
        raise SystemCallError(EOPNOTSUPP, "config", label, f"this kernel has no active {module} to apply it")


class ExecLabel:
    """A label that is opened while /proc is accessible, and set when nothing else will be executed before.

    Written to the procfs below an untrusted root: to that file system itself or not at all.
    """

    def __init__(self, module: str, label: str, root: int) -> None:
        """root: a descriptor of the container's."""
        self._text = f"exec {label}" if module == APPARMOR else label
        self._label = label
        proc = open_root(root)
        try:
            self._fd = _open_first(proc, PLACES[module])
            if file_system_kind(self._fd) != PROC_SUPER_MAGIC:
                raise SystemCallError(EINVAL, "open", "/proc", "it is not a file of a procfs")
        finally:
            os.close(proc)

    def set(self) -> None:
        try:
            os.write(self._fd, self._text.encode())
        except OSError as error:
            hint = "no such profile is loaded" if error.errno == ENOENT else ""
            raise SystemCallError(error.errno or EINVAL, "label", self._label, hint) from error
        os.close(self._fd)


def _open_first(proc: int, places: tuple[str, ...]) -> int:
    for place in places[:-1]:
        try:
            return resolve.open_with(proc, place, os.O_WRONLY, STRICT)
        except SystemCallError as error:
            if error.errno != ENOENT:
                raise
    return resolve.open_with(proc, places[-1], os.O_WRONLY, STRICT)
