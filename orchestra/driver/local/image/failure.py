"""Errors of the file system, as the driver's errors."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING

from orchestra.errors import FatalError, TemporaryError, describe

if TYPE_CHECKING:
    from collections.abc import Iterator

HINTS = {
    errno.EPERM: "images and container layers need root with CAP_SYS_ADMIN and CAP_MKNOD; or a file there is immutable",
    errno.EACCES: "images and container layers need root",
    errno.ENOSPC: "the disk or its inodes are full: free some space, or move ORCHESTRA_HOME to a larger file system",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only: move ORCHESTRA_HOME to a writable one",
    errno.EOPNOTSUPP: "the file system lacks extended attributes: keep ORCHESTRA_HOME on ext4, xfs, btrfs or tmpfs",
    errno.EBUSY: "something is mounted there: unmount it",
    errno.EMFILE: "too many open files: see `ulimit -n`",
}
# Errors that may pass by themselves, with no change to the file or the machine.
TEMPORARY = frozenset((errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETXTBSY))


@contextlib.contextmanager
def file_errors(what: str) -> Iterator[None]:
    """Turn an OSError into the driver's error, which says what it concerned and the probable cause."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        kind = TemporaryError if number in TEMPORARY else FatalError
        raise kind(f"{what}: {describe(error)}", hint=HINTS.get(number, "")) from error
