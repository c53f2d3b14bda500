"""The unit of the user's systemd in which the containers of a home live."""

from __future__ import annotations

import hashlib


def scope_of(directory: str) -> str:
    """Its name. directory: ``Home.rootless``."""
    return f"orchestra-{hashlib.sha256(directory.encode()).hexdigest()[:12]}.scope"
