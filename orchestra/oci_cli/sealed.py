"""Protecting the interpreter of this process from containers (CVE-2019-5736).

/proc/self/exe of a process that is about to become a container's leads to the machine's interpreter: a program of the
image that is a link to it, or a script for it, runs that interpreter, and could write to it. So commands whose process
enters a container go on in a copy of the interpreter that cannot be written to, in memory and without a name.
"""

from __future__ import annotations

import os
import sys
from errno import EACCES, EINVAL, ENOTSUP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

AGAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "again.py")
MFD_EXEC = 0x10  # Linux 6.3; if vm.memfd_noexec is 1, only files with this flag can be executed


def protect(words: Sequence[str], *, again: bool) -> None:
    """Return if the file that this process executes cannot be written to; otherwise restart with this command line.

    again: this is the restart already, and there must not be another. OSError if there is no way.
    """
    interpreter = os.open("/proc/self/exe", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstatvfs(interpreter).f_flag & os.ST_RDONLY or _is_sealed(interpreter) or _is_anothers(interpreter):
            return
        if again:
            raise OSError(ENOTSUP, "a copy of the interpreter cannot be executed", sys.executable)
        copy = _copy(interpreter)
    finally:
        os.close(interpreter)
    # Isolated, and without the search for site packages: none are needed.
    os.execve(copy, [sys.executable, "-I", "-S", AGAIN, *words], os.environ)


def _is_anothers(fd: int) -> bool:
    """Whether it belongs to root and we are not root: then our containers have no rights over it."""
    status = os.fstat(fd)
    return os.geteuid() != 0 and status.st_uid == 0 and not status.st_mode & 0o022


def _is_sealed(fd: int) -> bool:
    import fcntl

    try:
        return bool(fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE)
    except OSError:
        return False  # a file system without seals


def _copy(interpreter: int) -> int:
    import fcntl

    try:
        copy = _make_memory()
    except OSError as error:
        if error.errno != EACCES:
            raise
        # vm.memfd_noexec is 2. A read-only mount is slower, because of its unmounting.
        from orchestra.linux.mounts import mount_tree

        return mount_tree.read_only_file("/proc/self/exe")
    left = os.fstat(interpreter).st_size
    while left:
        left -= os.sendfile(copy, interpreter, None, left)
    every = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(copy, fcntl.F_ADD_SEALS, every)
    return copy


def _make_memory() -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create("interpreter", flags | MFD_EXEC)
    except OSError as error:
        if error.errno != EINVAL:
            raise
        return os.memfd_create("interpreter", flags)
