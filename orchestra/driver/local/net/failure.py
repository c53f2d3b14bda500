"""Errors of the kernel, as the driver's errors."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING

from orchestra.errors import FatalError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Iterator

HINTS = {
    errno.EPERM: "networks need CAP_NET_ADMIN and CAP_SYS_ADMIN: run as root",
    errno.EACCES: "networks need CAP_NET_ADMIN and CAP_SYS_ADMIN: run as root",
    errno.EOPNOTSUPP: "the kernel lacks bridge or veth: load the modules bridge and veth",
    errno.ENOENT: "the kernel may lack packet filters on interfaces: load the modules sch_ingress and cls_bpf",
    errno.ENOSPC: "a kernel limit is reached: see /proc/sys/user/max_net_namespaces",
}


class InterfaceGone(FileNotFoundError):
    """Another program removed an interface while it was being worked on."""

    def __init__(self, interface: str) -> None:
        super().__init__(errno.ENODEV, "the interface was removed", interface)


@contextlib.contextmanager
def kernel_errors(what: str) -> Iterator[None]:
    """Turn an OSError into a FatalError that says what it concerned and the probable cause.

    An interface that has gone makes a TemporaryError: another program removed it, and it can be made again.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise TemporaryError(f"{what}: {error}") from error
        raise FatalError(f"{what}: {error}", hint=HINTS.get(error.errno or 0, "")) from error
