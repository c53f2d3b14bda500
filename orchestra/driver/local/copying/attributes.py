"""Extended attributes of files that are copied (xattr(7))."""

from __future__ import annotations

import os
from errno import ENODATA, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM

XATTRS = ("user.", "security.capability", "system.posix_acl_")
"""Attributes that mean the same elsewhere; labels of security modules and overlayfs' own do not."""


def attributes_of(fd: int) -> dict[str, bytes]:
    """The extended attributes of an open file that mean the same elsewhere."""
    found: dict[str, bytes] = {}
    try:
        names = os.listxattr(fd)
    except OSError as error:
        if error.errno in (EOPNOTSUPP, EPERM, ENOTDIR, ENOENT):
            return found
        raise
    for name in names:
        if name.startswith(XATTRS):
            try:
                found[name] = os.getxattr(fd, name)
            except OSError as error:
                if error.errno not in (ENODATA, EPERM):
                    raise
    return found
