"""Configs and secrets that are files of one container: written beside its bundle, and bound read-only.

The directory of a container is below ``run/``, usually a tmpfs, and only its owner may look into it: so a file can be
readable to every user of the container without being readable to every user of the host.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from orchestra.errors import FatalError
from orchestra.linux import private_files

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.mount import FileMount

FILES = "files"
MODE = 0o444
"""Unless said otherwise, as in Compose: the program need not be root."""


def write_file(directory: str, spec: ContainerSpec, mount: FileMount) -> str:
    """The file's path on the host. It is removed with the ``directory`` of its container. Raises FatalError."""
    content = _content(spec, mount)
    files = f"{directory}/{FILES}"
    path = f"{files}/{spec.mounts.index(mount)}"
    private_files.make_directories(files)
    # Private until it is complete and has its owner.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        os.fchown(descriptor, mount.uid or 0, mount.gid or 0)
        # After the owner: changing that takes set-id bits away.
        os.fchmod(descriptor, MODE if mount.mode is None else mount.mode & 0o7777)
    return path


def check_file(spec: ContainerSpec, mount: FileMount) -> None:
    """Raises FatalError if ``write_file`` would."""
    _content(spec, mount)


def _content(spec: ContainerSpec, mount: FileMount) -> bytes:
    if mount.refusal:
        hint = "give it a file, content or environment instead"
        raise FatalError(f"service {spec.service}: {mount.refusal}", hint=hint)
    if mount.content is not None:
        return mount.content.encode()
    what = f"service {spec.service}: {mount.source or mount.declared} is to be mounted at {mount.target}"
    if not mount.source:
        raise FatalError(f"{what}, but its variable is not set", hint="set the variable in the environment or in .env")
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        with open(os.open(mount.source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read()
    except OSError as error:
        raise FatalError(f"{what}: {error.strerror}", hint="create it, or correct its path") from error
    raise FatalError(f"{what}, but is not a file", hint="only a file can have an owner and a mode")
