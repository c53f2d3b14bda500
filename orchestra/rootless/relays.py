"""Published ports without root: the keeper accepts in the host's network and connects in the home's.

A supervisor hands over the sockets that reserve the ports, bound in the host's network, with the addresses of the
containers that each leads to, as one message for its stack; what the last message does not name is closed. So ports
stay published while a supervisor is away, and the next one asks for the sockets again.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from typing import TYPE_CHECKING, Any

from orchestra.rootless import socket_message
from orchestra.rootless.datagrams import Datagrams
from orchestra.rootless.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Relay = Streams | Datagrams

TURN = 5.0
"""Seconds between two looks for datagrams' clients that have fallen silent."""


class Loop:
    """Calls back when descriptors are ready."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, fd: int, events: int, call: Callable[[int], None]) -> None:
        """events: 0 to wait for nothing for now."""
        known = self._selector.get_map().get(fd)
        if not events:
            if known is not None:
                self._selector.unregister(fd)
        elif known is None:
            self._selector.register(fd, events, call)
        elif known.events != events or known.data != call:
            self._selector.modify(fd, events, call)

    def turn(self, seconds: float) -> None:
        for key, events in self._selector.select(seconds):
            # An earlier call of this turn may have closed it, and its number may be in use again.
            if self._selector.get_map().get(key.fd) is key:
                key.data(events)


class Relays:
    def __init__(self, listener: socket.socket) -> None:
        self._loop = Loop()
        self._listener = listener
        self._stacks: dict[str, list[Relay]] = {}
        listener.setblocking(False)
        self._loop.watch(listener.fileno(), selectors.EVENT_READ, self._accept)

    def run(self) -> None:
        """For as long as the process lives."""
        looked = time.monotonic()
        while True:
            self._loop.turn(TURN)
            if time.monotonic() - looked >= TURN:
                looked = time.monotonic()
                for relays in self._stacks.values():
                    for relay in relays:
                        relay.forget_silent(looked)

    def _accept(self, _events: int) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(TURN)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        try:
            message, sockets = socket_message.receive(connection)
        except ConnectionResetError:
            return  # the supervisor was killed
        if message["op"] == "publish":
            failed = self._publish(message["stack"], message["targets"], sockets)
            socket_message.send(connection, {} if failed is None else {"errno": failed.errno})
        else:
            socket_message.send(connection, {}, [relay.socket for relay in self._stacks.get(message["stack"], ())])

    def _publish(
        self, stack: str, targets: Sequence[Sequence[Sequence[Any]]], sockets: list[socket.socket]
    ) -> OSError | None:
        """targets: address and port of every container that the socket of the same place leads to.

        Returns why the last of those that cannot be listened at cannot.
        """
        failed: OSError | None = None
        before = {_key(relay.socket): relay for relay in self._stacks.get(stack, ())}
        now: list[Relay] = []
        for bound, leads_to in zip(sockets, targets, strict=True):
            addresses = [(str(address), int(port)) for address, port in leads_to]
            known = before.pop(_key(bound), None)
            if known is not None:
                bound.close()
                known.targets = addresses
                now.append(known)
            else:
                kind = Streams if bound.type == socket.SOCK_STREAM else Datagrams
                try:
                    now.append(kind(self._loop, bound, addresses))
                except OSError as error:
                    failed = error
                    bound.close()
        for relay in before.values():
            relay.close()
        self._stacks[stack] = now
        if not now:
            del self._stacks[stack]
        return failed


def _key(bound: socket.socket) -> tuple[int, Any]:
    return bound.type, bound.getsockname()
