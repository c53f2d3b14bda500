"""Errors of the kernel, as the driver's errors."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING

from orchestra.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Iterator

HINTS = {
    errno.EPERM: "networks need CAP_NET_ADMIN and CAP_SYS_ADMIN: run as root",
    errno.EACCES: "networks need CAP_NET_ADMIN and CAP_SYS_ADMIN: run as root",
    errno.EOPNOTSUPP: "the kernel lacks bridge or veth: load the modules bridge and veth",
    errno.ENOENT: "the kernel may lack packet filters on interfaces: load the modules sch_ingress and cls_bpf",
    errno.ENOSPC: "a kernel limit is reached: see /proc/sys/user/max_net_namespaces",
}


@contextlib.contextmanager
def kernel_errors(what: str) -> Iterator[None]:
    """Turn an OSError into a FatalError that says what it concerned and the probable cause."""
    try:
        yield
    except OSError as error:
        raise FatalError(f"{what}: {error}", hint=HINTS.get(error.errno or 0, "")) from error
