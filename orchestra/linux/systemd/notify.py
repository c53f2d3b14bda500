"""Telling the service manager that started this process how it is: sd_notify(3)."""

from __future__ import annotations

import os
import socket

VARIABLE = "NOTIFY_SOCKET"


def notify(*assignments: str) -> None:
    """assignments: such as ``READY=1``. Does nothing without a service manager, or if it has just exited."""
    address = os.environ.get(VARIABLE)
    if not address:
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        try:
            manager.sendto("\n".join(assignments).encode(), address)
        except (FileNotFoundError, ConnectionRefusedError):
            return
