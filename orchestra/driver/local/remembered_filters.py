"""Compiled filters of system calls, remembered in the home: compiling one takes as long as starting a container.

Each is a file, named by a digest of everything that the program follows from, and holds a digest and the program. A
file that another user could have written, or that is damaged, is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat

from orchestra.linux import private_files
from orchestra.linux.security import libseccomp

COMPILER = 1
"""To be raised when ``libseccomp.compile_profile`` makes another program of the same profile."""
MOST = 64
"""Files that are kept: one more, and all before it are removed."""
DIGEST = hashlib.sha256().digest_size
LONGEST = 1 << 20


def load(directory: str, profile: str) -> bytes | None:
    """The program of a profile, as JSON; None if it is not remembered."""
    try:
        fd = os.open(_path(directory, profile), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            return None
        content = os.read(fd, LONGEST)
    finally:
        os.close(fd)
    program = content[DIGEST:]
    return program if program and content[:DIGEST] == _seal(profile, program) else None


def store(directory: str, profile: str, program: bytes) -> None:
    """Remember it, if there is room: a full disk keeps no container from starting."""
    with contextlib.suppress(OSError):
        private_files.make_directories(directory)
        if len(names := os.listdir(directory)) >= MOST:
            for name in names:
                os.unlink(f"{directory}/{name}")
        private_files.store(_path(directory, profile), _seal(profile, program) + program)


def _path(directory: str, profile: str) -> str:
    followed = json.dumps([COMPILER, libseccomp.version(), os.uname().machine, profile])
    return f"{directory}/{hashlib.sha256(followed.encode()).hexdigest()}"


def _seal(profile: str, program: bytes) -> bytes:
    return hashlib.sha256(profile.encode() + b"\0" + program).digest()
