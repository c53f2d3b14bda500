"""Capabilities: the five sets of a process (capabilities(7)), by the names of the OCI runtime spec."""

from __future__ import annotations

import ctypes

from orchestra.linux.process import prctl
from orchestra.linux.syscall import c_void_p, check, declare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# In the order of linux/capability.h: the index is the number.
NAMES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)
NUMBERS = {name: number for number, name in enumerate(NAMES)}

PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4
LINUX_CAPABILITY_VERSION_3 = 0x20080522

_capget = declare("capget", c_void_p, c_void_p)
_capset = declare("capset", c_void_p, c_void_p)


class _Header(ctypes.Structure):
    """struct __user_cap_header_struct."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    """struct __user_cap_data_struct; two of them hold 64 bits of each set."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


class Sets:
    """One bit mask for each of the five sets, of the names that this kernel knows; the others are in ``unknown``."""

    __slots__ = ("ambient", "bounding", "effective", "inheritable", "permitted", "unknown")

    def __init__(self, names: Mapping[str, Iterable[str]]) -> None:
        self.unknown = sorted({name for group in names.values() for name in group or () if name not in NUMBERS})
        self.bounding, self.effective, self.permitted, self.inheritable, self.ambient = (
            sum(1 << NUMBERS[name] for name in set(names.get(key) or ()) if name in NUMBERS)
            for key in ("bounding", "effective", "permitted", "inheritable", "ambient")
        )

    def with_(self, name: str) -> Sets:
        """These, and one more that the process may use but not pass on."""
        more = Sets({})
        more.unknown, more.bounding, more.inheritable = self.unknown, self.bounding, self.inheritable
        more.effective = self.effective | 1 << NUMBERS[name]
        more.permitted = self.permitted | 1 << NUMBERS[name]
        return more


def last_capability() -> int:
    """The highest number that the running kernel knows."""
    number = len(NAMES) - 1
    try:
        with open("/proc/sys/kernel/cap_last_cap") as file:
            number = int(file.read())
    except OSError:
        pass  # /proc may be masked: our own table is the next best answer
    return number


LAST = last_capability()


def held() -> int:
    """The effective set of this process."""
    header = _Header(LINUX_CAPABILITY_VERSION_3, 0)
    data = (_Data * 2)()
    check(_capget(ctypes.byref(header), ctypes.byref(data)), "capget")
    return int(data[0].effective | data[1].effective << 32)


def raise_effective(mask: int) -> None:
    """Make these effective in this thread again, as far as they are permitted."""
    header = _Header(LINUX_CAPABILITY_VERSION_3, 0)
    data = (_Data * 2)()
    check(_capget(ctypes.byref(header), ctypes.byref(data)), "capget")
    for half, bits in zip(data, (mask & 0xFFFFFFFF, mask >> 32), strict=True):
        half.effective |= bits & half.permitted
    check(_capset(ctypes.byref(header), ctypes.byref(data)), "capset")


def held_names() -> tuple[str, ...]:
    """The names of what ``held`` tells: all that a privileged program can get."""
    available = held()
    return tuple(name for name in NAMES if available >> NUMBERS[name] & 1)


def limit_bounding(mask: int) -> None:
    """Drop everything not in ``mask`` from the bounding set.

    Needs CAP_SETPCAP, so it comes before the change of user.
    """
    for number in range(LAST + 1):
        if not mask >> number & 1:
            prctl(PR_CAPBSET_DROP, number)


def apply(sets: Sets, available: int) -> None:
    """Set effective, permitted and inheritable, then the ambient set; no more of each than is ``available``."""
    header = _Header(LINUX_CAPABILITY_VERSION_3, 0)
    data = (_Data * 2)()
    for half in (0, 1):
        for field in ("effective", "permitted", "inheritable"):
            setattr(data[half], field, (getattr(sets, field) & available) >> 32 * half & 0xFFFFFFFF)
    check(_capset(ctypes.byref(header), ctypes.byref(data)), "capset")
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    raised = sets.ambient & sets.permitted & sets.inheritable & available
    for number in range(LAST + 1):
        if raised >> number & 1:
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number)
