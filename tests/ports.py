"""Ports for tests: two tests run at a time, in one network."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress

PORTS = itertools.count(20_000 + 2_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]))
"""Each worker has its own, and all are below those that the kernel gives to clients (ip_local_port_range)."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that no other test is given."""
    for port in PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError
