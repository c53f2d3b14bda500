"""Session keyrings: keyctl(2), which no libc wraps."""

from __future__ import annotations

import os
from errno import EACCES, EDQUOT, ENOSYS, EPERM

from orchestra.linux.syscall import SystemCallError, check, raw

# Older than the common numbers of all architectures.
SYS_KEYCTL = {
    "x86_64": 250,
    "aarch64": 219,
    "riscv64": 219,
    "loongarch64": 219,
    "s390x": 280,
    "ppc64le": 271,
    "armv7l": 311,
    "i686": 288,
}
KEYCTL_JOIN_SESSION_KEYRING = 1


def join_session(name: str) -> None:
    """Replace the inherited session keyring by one of that name, or by none if the kernel keeps no keys."""
    number = SYS_KEYCTL.get(os.uname().machine)
    if number is None:
        return
    try:
        check(raw(number, KEYCTL_JOIN_SESSION_KEYRING, f"_orchestra.{name}".encode()), "keyctl", name)
    except SystemCallError as error:
        # Not built in, filtered, or out of quota: then the container shares the caller's, as it would anyway.
        if error.errno not in (ENOSYS, EPERM, EACCES, EDQUOT):
            raise
