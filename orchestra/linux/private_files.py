"""Files and directories that only their owner and root may read or enter, whatever the umask."""

from __future__ import annotations

import os
import stat


def make_directories(path: str) -> None:
    """Make ``path`` and the directories above it that are missing; nothing happens when it exists."""
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
    """Take every permission of others on this directory away, if it exists and is the caller's own."""
    try:
        status = os.stat(path)
    except OSError:
        return
    if status.st_mode & 0o077 and status.st_uid == os.geteuid():
        os.chmod(path, 0o700)


def store(path: str, content: bytes) -> None:
    """Replace the file, whole or not at all. It is not synchronised: for what means nothing after a reboot."""
    directory, name = os.path.split(path)
    temporary = f"{directory}/.{name}.new"
    # Not by a file object, whose layers a process that was just forked would have to copy.
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        # Where the disk becomes full only a part is written, and that is no error yet.
        while content:
            content = content[os.write(fd, content) :]
    finally:
        os.close(fd)
    os.rename(temporary, path)
