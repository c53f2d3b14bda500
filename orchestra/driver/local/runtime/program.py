"""Which program a service's ``runtime:`` means."""

from __future__ import annotations

import os

from orchestra.errors import FatalError

OWN = ("", "orchestra")


def find_runtime(name: str, service: str) -> str:
    """The absolute path of another OCI runtime; empty for our own. name: of a program in PATH, or a path.

    Docker's names of a configured runtime (``io.containerd.runc.v2``) mean the program in their middle.
    """
    if name in OWN:
        return ""
    program = name.split(".")[2] if name.startswith("io.containerd.") and name.count(".") >= 3 else name
    import shutil

    found = shutil.which(program)
    if found is None:
        message = f"service {service}: the runtime {name} is not installed"
        raise FatalError(
            message, hint="set `runtime` to a program such as crun or to its path, or remove it to use Orchestra's own"
        )
    return os.path.abspath(found)
