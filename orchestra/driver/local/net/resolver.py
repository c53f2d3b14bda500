"""The name server of one container: answers its questions, over UDP and TCP, within bounds of its own.

However many questions a container has, one at a time is looked up, in turn with those of other containers; the rest
waits in the container's own socket. Questions to other servers take time and a socket each, so their number is limited.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import anyio
from anyio.to_thread import run_sync

from orchestra.driver.local.net.forwarder import LARGEST, forward
from orchestra.driver.local.net.stream import read_message, write_message

if TYPE_CHECKING:
    import socket

    from anyio.abc import TaskGroup

    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.driver.local.net.shares import Shares
    from orchestra.driver.local.net.zone import PublishedNames

CONNECTIONS_MAX = 32
"""For one container, over TCP; one more closes the one that has been silent longest."""
IDLE = 10.0
"""Seconds that a client over TCP has to send a question, and to take an answer."""


class Sockets(NamedTuple):
    """The two sockets in one container's namespace, not blocking."""

    udp: socket.socket
    tcp: socket.socket

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


class Elsewhere(NamedTuple):
    """A question for other servers. failure: the reply if none of them answers."""

    servers: tuple[str, ...]
    failure: bytes


class Resolver:
    """Serves one container while ``run`` runs.

    places: for questions to other servers, shared with other containers, as are ``threads``.
    """

    def __init__(
        self,
        attachment: Attachment,
        sockets: Sockets,
        names: PublishedNames,
        places: Shares,
        threads: anyio.CapacityLimiter,
        upstream_port: int,
    ) -> None:
        self._attachment = attachment
        self._sockets = sockets
        self._names = names
        self._places = places
        self._threads = threads
        self._upstream_port = upstream_port
        self._turn = anyio.Lock()
        self._connections: dict[anyio.CancelScope, None] = {}

    async def run(self) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._serve_udp, tasks)
                tasks.start_soon(self._serve_tcp, tasks)
        finally:
            self._sockets.close()

    async def _serve_udp(self, tasks: TaskGroup) -> None:
        listener = self._sockets.udp
        while True:
            await anyio.wait_readable(listener)
            try:
                query, client = listener.recvfrom(LARGEST)
            except OSError:
                continue  # an earlier reply could not be delivered; the error is told here (udp(7))
            found = await self._look_up(query, udp=True)
            if isinstance(found, Elsewhere):
                # Queries beyond the container's share are dropped, like packets to a busy server: it asks again.
                if self._places.take(self._attachment.container):
                    tasks.start_soon(self._pass_on_udp, query, client, found)
            elif found is not None:
                _reply_udp(listener, found, client)

    async def _pass_on_udp(self, query: bytes, client: tuple[str, int], question: Elsewhere) -> None:
        try:
            reply = await self._ask(query, question, udp=True)
        finally:
            self._places.give_back(self._attachment.container)
        _reply_udp(self._sockets.udp, reply, client)

    async def _serve_tcp(self, tasks: TaskGroup) -> None:
        listener = self._sockets.tcp
        while True:
            await anyio.wait_readable(listener)
            try:
                connection, _ = listener.accept()
            except OSError:
                continue  # the client has given up meanwhile (accept(2))
            connection.setblocking(False)
            if len(self._connections) >= CONNECTIONS_MAX:
                longest = next(iter(self._connections))
                del self._connections[longest]
                longest.cancel()
            scope = anyio.CancelScope()
            self._connections[scope] = None
            tasks.start_soon(self._serve_connection, connection, scope)

    async def _serve_connection(self, connection: socket.socket, scope: anyio.CancelScope) -> None:
        with connection, scope:
            try:
                while await self._exchange(connection):
                    if scope in self._connections:  # to the end: it was used last
                        self._connections[scope] = self._connections.pop(scope)
            except OSError:
                return  # the client is gone
            finally:
                self._connections.pop(scope, None)

    async def _exchange(self, connection: socket.socket) -> bool:
        """One question and its answer. Returns whether the connection can take another. Raises OSError."""
        query: bytes | None = None
        with anyio.move_on_after(IDLE):
            query = await read_message(connection)
        found = await self._look_up(query, udp=False) if query else None
        if isinstance(found, Elsewhere) and query:
            if not self._places.take(self._attachment.container):
                return False
            try:
                found = await self._ask(query, found, udp=False)
            finally:
                self._places.give_back(self._attachment.container)
        if not isinstance(found, bytes):
            return False
        with anyio.move_on_after(IDLE) as limit:
            await write_message(connection, found)
        return not limit.cancelled_caught

    async def _look_up(self, query: bytes, *, udp: bool) -> bytes | Elsewhere | None:
        async with self._turn:
            return await run_sync(partial(self._answer, query, udp=udp), limiter=self._threads)

    async def _ask(self, query: bytes, question: Elsewhere, *, udp: bool) -> bytes:
        reply = await forward(query, question.servers, udp=udp, port=self._upstream_port)
        return reply or question.failure

    def _answer(self, query: bytes, *, udp: bool) -> bytes | Elsewhere | None:
        """The reply, or the servers to ask; None if it deserves no reply. In a thread: reads files."""
        # Importing the library costs tens of milliseconds, which a stack that asks no names never pays.
        from random import SystemRandom

        from orchestra.driver.local.net import etc
        from orchestra.driver.local.net.dns import Forward, answer, server_failure

        reply = answer(self._names.zone(self._attachment), query, SystemRandom(), udp=udp)
        if not isinstance(reply, Forward):
            return reply
        servers = self._attachment.nameservers or etc.host_resolv_conf().nameservers
        return Elsewhere(servers, server_failure(query) or b"")


def _reply_udp(listener: socket.socket, reply: bytes, client: tuple[str, int]) -> None:
    try:
        listener.sendto(reply, client)
    except OSError:
        return  # the client is gone, or its buffer is full: it asks again
