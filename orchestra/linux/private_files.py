"""Files and directories that only their owner and root may read or enter, whatever the umask."""

from __future__ import annotations

import os
import stat

from orchestra.linux import whole_files


def make_directories(path: str) -> None:
    """Make ``path`` and its missing parents; does nothing if it exists."""
    try:
        os.mkdir(path, 0o700)
    except FileNotFoundError:
        make_directories(os.path.dirname(path))
        make_directories(path)
    except FileExistsError:
        try:
            found = os.lstat(path).st_mode
        except FileNotFoundError:  # removed meanwhile
            make_directories(path)
        else:
            if not stat.S_ISDIR(found) and not (stat.S_ISLNK(found) and os.path.isdir(path)):
                raise


def close_to_others(path: str) -> None:
    """Remove all permissions of other users on this directory, if it exists and belongs to the caller."""
    try:
        status = os.stat(path)
    except OSError:
        return
    if status.st_mode & 0o077 and status.st_uid == os.geteuid():
        os.chmod(path, 0o700)


def store(path: str, content: bytes, *, durable: bool = False) -> None:
    """Replace the file completely or not at all. durable: it is on disk when this returns."""
    directory, name = os.path.split(path)
    temporary = f"{directory}/.{name}.new"
    whole_files.write(temporary, content, durable=durable)
    os.rename(temporary, path)
