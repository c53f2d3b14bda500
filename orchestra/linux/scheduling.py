"""How a process is scheduled: sched_setattr(2), ioprio_set(2), sched_setaffinity(2), in the OCI spec's words."""

from __future__ import annotations

import ctypes
import os
from errno import EINVAL, ENOSYS, EPERM

from orchestra.linux.syscall import SystemCallError, check, raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# OCI runtime spec, config, "scheduler": the names of sched(7), and of linux/sched.h.
POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}
PRIORITY_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
IOPRIO_WHO_PROCESS, IOPRIO_CLASS_SHIFT = 1, 13

# System calls older than the common numbers of all architectures: sched_setattr, ioprio_set.
NUMBERS = {
    "x86_64": (314, 251),
    "aarch64": (274, 30),
    "riscv64": (274, 30),
    "loongarch64": (274, 30),
    "s390x": (345, 282),
    "ppc64le": (355, 273),
    "armv7l": (380, 314),
    "i686": (351, 289),
}
PRIVILEGE = "a real-time policy needs CAP_SYS_NICE of the machine, and real-time budget in the cgroup"


class _SchedAttr(ctypes.Structure):
    """struct sched_attr of linux/sched/types.h, as of Linux 3.14."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def _number(index: int, call: str) -> int:
    machine = os.uname().machine
    if machine not in NUMBERS:
        raise SystemCallError(ENOSYS, call, machine, "its number is not known for this architecture")
    return NUMBERS[machine][index]


def set_scheduler(wanted: Mapping[str, Any]) -> None:
    """``process.scheduler``, for this process; times of SCHED_DEADLINE are in nanoseconds."""
    policy = wanted.get("policy")
    if policy not in POLICIES:
        raise SystemCallError(EINVAL, "config", "process.scheduler.policy", f"{policy} is not known")
    flags = 0
    for name in wanted.get("flags") or ():
        if name not in FLAGS:
            raise SystemCallError(EINVAL, "config", "process.scheduler.flags", f"{name} is not known")
        flags |= FLAGS[name]
    attributes = _SchedAttr(
        ctypes.sizeof(_SchedAttr),
        POLICIES[policy],
        flags,
        *(wanted.get(key) or 0 for key in ("nice", "priority", "runtime", "deadline", "period")),
    )
    result = raw(_number(0, "sched_setattr"), 0, ctypes.byref(attributes), 0)
    if result == -1 and ctypes.get_errno() == EPERM:
        check(result, "sched_setattr", policy, PRIVILEGE)
    check(result, "sched_setattr", policy)


def set_io_priority(wanted: Mapping[str, Any]) -> None:
    """``process.ioPriority``, for this process. priority: 0 (first) to 7 (last)."""
    name, priority = wanted.get("class"), wanted.get("priority") or 0
    if name not in PRIORITY_CLASSES:
        raise SystemCallError(EINVAL, "config", "process.ioPriority.class", f"{name} is not known")
    if not 0 <= priority <= 7:
        raise SystemCallError(EINVAL, "config", "process.ioPriority.priority", f"{priority} is not one of 0 to 7")
    value = PRIORITY_CLASSES[name] << IOPRIO_CLASS_SHIFT | priority
    check(raw(_number(1, "ioprio_set"), IOPRIO_WHO_PROCESS, 0, value), "ioprio_set", name)


def parse_processors(text: str) -> set[int]:
    """``0-3,7``: numbers of processors, as cpuset(7) lists them."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise SystemCallError(EINVAL, "config", "process.execCPUAffinity", f"{text!r} is not a list of processors")
        found.update(range(int(first), int(last if dash else first) + 1))
    return found


def set_affinity(processors: str) -> None:
    """Limit this process to these processors, as far as its cgroup permits."""
    try:
        os.sched_setaffinity(0, parse_processors(processors))
    except (OSError, OverflowError) as error:
        if isinstance(error, SystemCallError):
            raise
        number = error.errno if isinstance(error, OSError) else EINVAL
        raise SystemCallError(number or EINVAL, "sched_setaffinity", processors) from error
