"""Scopes of systemd as control groups of containers: not yet."""

from __future__ import annotations

from errno import ENOTSUP

from orchestra.linux.syscall import SystemCallError


class Scope:
    def __init__(self, name: str, version: int) -> None:
        raise SystemCallError(ENOTSUP, "config", name, "it is meant for systemd: use cgroupfs")

    path = ""

    def start(self) -> None:
        """Begin."""

    def release(self) -> None:
        """Let go."""

    def stop(self) -> None:
        """End."""
