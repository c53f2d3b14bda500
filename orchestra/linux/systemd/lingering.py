"""Whether a user's systemd goes on without a session of the user: loginctl(1), enable-linger."""

from __future__ import annotations

import os
import pwd

DIRECTORY = "/var/lib/systemd/linger"


def lingers(uid: int) -> bool:
    """uid: as known outside user namespaces."""
    return os.path.exists(f"{DIRECTORY}/{_name(uid)}")


def remedy(uid: int) -> str:
    """The command that lets it."""
    return f"sudo loginctl enable-linger {_name(uid)}"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
