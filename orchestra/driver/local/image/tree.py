"""``rootfs:DIR``: an existing directory tree as an image. Nothing is copied or stored.

Its digest identifies the directory, not its content: ``rootfs:<device>-<inode>:<real path>``.
"""

from __future__ import annotations

import os
import stat

from orchestra.driver.local.image.failure import file_errors
from orchestra.errors import FatalError

PREFIX = "rootfs:"


def tree_digest(path: str) -> str:
    """Raises FatalError unless ``path`` is a readable directory."""
    with file_errors(f"image rootfs:{path}"):
        try:
            real = os.path.realpath(path, strict=True)
            status = os.stat(real)
        except (FileNotFoundError, NotADirectoryError):
            hint = "give a directory with a root file system; rootfs:/ is this machine's own"
            raise FatalError(f"image rootfs:{path}: {path} does not exist", hint=hint) from None
        if not stat.S_ISDIR(status.st_mode):
            hint = "unpack it into a directory, or use oci-archive: or docker-archive: for a file"
            raise FatalError(f"image rootfs:{path}: {path} is not a directory", hint=hint)
        os.close(os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    return f"{PREFIX}{status.st_dev:x}-{status.st_ino:x}:{real}"


def is_same_tree(digest: str, other: str) -> bool:
    """Whether both name the directory at the same path: device numbers may be others after a boot."""
    if not (digest.startswith(PREFIX) and other.startswith(PREFIX)):
        return False
    return digest.removeprefix(PREFIX).partition(":")[2] == other.removeprefix(PREFIX).partition(":")[2]


def tree_of(digest: str) -> str:
    """The directory that a digest names. Raises FatalError if another one has taken its place."""
    path = digest.removeprefix(PREFIX).partition(":")[2]
    if tree_digest(path) != digest:
        raise FatalError(f"image {digest}: {path} is another directory now", hint="run `up` again to use the new one")
    return path
