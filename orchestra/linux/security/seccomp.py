"""System call filters: loading a compiled one into this process (seccomp(2)). ``libseccomp`` compiles them.

A filter is a program for the classic BPF machine over struct seccomp_data (linux/seccomp.h). It can never be removed,
applies to everything that is forked and executed, and needs CAP_SYS_ADMIN or ``no_new_privs``.
"""

from __future__ import annotations

import ctypes
import os
from errno import EINVAL, ENOSYS

from orchestra.linux.syscall import SystemCallError, check, raw
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# seccomp(2) is older than the common numbers of all architectures.
SYS_SECCOMP = {
    "x86_64": 317,
    "aarch64": 277,
    "riscv64": 277,
    "loongarch64": 277,
    "s390x": 348,
    "ppc64le": 358,
    "armv7l": 383,
    "i686": 354,
}
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER = 0x8

# OCI runtime spec, config-linux, "Seccomp". TSYNC means nothing to a process with one thread.
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 0x1,
    "SECCOMP_FILTER_FLAG_LOG": 0x2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 0x4,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 0x20,
}

INSTRUCTION_SIZE = 8


class Filter(NamedTuple):
    """program: instructions of struct sock_filter; flags: of seccomp(2)."""

    program: bytes
    flags: int = 0


class _Program(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def parse_flags(names: Iterable[str]) -> int:
    flags = 0
    for name in names:
        if name not in FLAGS:
            raise SystemCallError(EINVAL, "config", "linux.seccomp.flags", f"{name} is not known")
        flags |= FLAGS[name]
    return flags


def load(wanted: Filter) -> int:
    """Confine this process from now on. Returns the result of seccomp(2): a descriptor if a listener is asked for."""
    number = SYS_SECCOMP.get(os.uname().machine)
    if number is None:
        raise SystemCallError(ENOSYS, "seccomp", os.uname().machine, "its number is not known for this architecture")
    buffer = ctypes.create_string_buffer(wanted.program, len(wanted.program))
    program = _Program(len(wanted.program) // INSTRUCTION_SIZE, ctypes.addressof(buffer))
    result = raw(number, SECCOMP_SET_MODE_FILTER, wanted.flags, ctypes.byref(program))
    return check(result, "seccomp", "", "the kernel takes no filter, or CAP_SYS_ADMIN or noNewPrivileges is missing")
