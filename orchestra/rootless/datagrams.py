"""Relays of UDP: each client of a published port has a socket of its own to the container, until both are silent."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.rootless.relays import Loop

SILENCE = 120.0
"""Seconds, as the kernel remembers a stream of datagrams (nf_conntrack_udp_timeout_stream)."""
MOST_CLIENTS = 4096
"""Of one port: another one takes the place of the one that has been silent longest."""
LARGEST = 1 << 16
AT_ONCE = 256
READ = selectors.EVENT_READ


class Datagrams:
    def __init__(self, loop: Loop, bound: socket.socket, targets: Sequence[tuple[str, int]]) -> None:
        self.socket, self.targets = bound, targets
        self._loop, self._turn = loop, 0
        self._clients: dict[Any, tuple[socket.socket, float]] = {}  # with the time of the last datagram, oldest first
        bound.setblocking(False)
        loop.watch(bound.fileno(), READ, self._hear)

    def forget_silent(self, now: float) -> None:
        while self._clients:
            client, (_, used) = next(iter(self._clients.items()))
            if now - used < SILENCE:
                return
            self._forget(client)

    def close(self) -> None:
        for client in list(self._clients):
            self._forget(client)
        self._loop.watch(self.socket.fileno(), 0, self._hear)
        self.socket.close()

    def _hear(self, _events: int) -> None:
        for _ in range(AT_ONCE):
            try:
                data, client = self.socket.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except OSError:  # what was sent to a client before has not arrived
                continue
            with contextlib.suppress(OSError):  # a datagram may be lost
                self._server_of(client).send(data)

    def _server_of(self, client: Any) -> socket.socket:
        """Raises OSError if there is none."""
        known = self._clients.pop(client, None)
        if known is None:
            if not self.targets:
                raise ConnectionRefusedError
            if len(self._clients) >= MOST_CLIENTS:
                self._forget(next(iter(self._clients)))
            self._turn += 1
            target = self.targets[self._turn % len(self.targets)]
            family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
            server = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            server.connect(target)
            self._loop.watch(server.fileno(), READ, partial(self._answer, client, server))
        else:
            server = known[0]
        self._clients[client] = server, time.monotonic()
        return server

    def _answer(self, client: Any, server: socket.socket, _events: int) -> None:
        for _ in range(AT_ONCE):
            try:
                data = server.recv(LARGEST)
            except BlockingIOError:
                return
            except OSError:  # refused: the next container may be another
                self._forget(client)
                return
            with contextlib.suppress(OSError):
                self.socket.sendto(data, client)

    def _forget(self, client: Any) -> None:
        server, _ = self._clients.pop(client)
        self._loop.watch(server.fileno(), 0, self._hear)
        server.close()
