"""A socket that programs of this machine can connect to, even if this process works in the network of a home."""

from __future__ import annotations

import socket

from orchestra.errors import EnvironmentLack
from orchestra.rootless.host_network import in_host_network

BACKLOG = 128


def listen(address: str, port: int) -> socket.socket:
    """port: 0 for any that is free. Raises EnvironmentLack."""
    return in_host_network(_listen, address, port)


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    except OSError as error:
        hint = "choose another with --listen"
        raise EnvironmentLack(f"cannot listen at {address} port {port}: {error.strerror}", hint=hint) from error
