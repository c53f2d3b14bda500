"""The name server of a stack: listens inside each container's network namespace at 127.0.0.11.

Its sockets have ports of their own there, and two rules lead port 53 of the address to them, so that a container may
serve port 53 itself. Queries for what no stack publishes go to other servers from the host's namespace.
Nothing is kept: after a restart, serving the same containers again is all there is to do.
"""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import anyio
from anyio.to_thread import run_sync

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import etc
from orchestra.driver.local.net.endpoint import RESOLVER
from orchestra.driver.local.net.failure import kernel_errors
from orchestra.driver.local.net.forwarder import LARGEST, forward
from orchestra.driver.local.net.stream import read_message, write_message
from orchestra.driver.local.net.zone import PublishedNames
from orchestra.linux.network_namespace import inside, is_pinned
from orchestra.linux.nftables import Redirection, redirect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import TaskGroup

    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.home import Home

TABLE = "orchestra_dns"
# Queries under way at once; what comes beyond is dropped, as a busy server's packets are: clients ask again.
PENDING_MAX = 256
# Seconds a TCP client may be silent.
IDLE = 10.0


class Sockets(NamedTuple):
    """The two sockets in one container's namespace, not blocking."""

    udp: socket.socket
    tcp: socket.socket

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


def open_sockets() -> Sockets:
    """Listen in the calling thread's network namespace, and lead port 53 there to it."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        udp.bind((RESOLVER, 0))
        tcp.bind((RESOLVER, 0))
        tcp.listen(64)
        ports = (("udp", udp.getsockname()[1]), ("tcp", tcp.getsockname()[1]))
        redirect(TABLE, [Redirection(protocol, RESOLVER, 53, port) for protocol, port in ports])
    except BaseException:
        udp.close()
        tcp.close()
        raise
    return Sockets(udp, tcp)


class NameServer:
    """Answers names for containers that are added, until they are removed."""

    def __init__(self, home: Home, tasks: TaskGroup, *, upstream_port: int = 53) -> None:
        self._names = PublishedNames(home)
        self._tasks = tasks
        self._upstream_port = upstream_port
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._pending = 0
        # Its own threads: a burst of queries must not hold up what else the supervisor does in threads, or wait for it.
        self._threads = anyio.CapacityLimiter(2)

    async def add(self, attachment: Attachment) -> None:
        """Serve a container from now on; anew when it is served already. Nothing happens for one without networks.

        Raises FatalError.
        """
        self.remove(attachment.container)
        path = attachment.namespace_path
        if path is None or not attachment.interfaces:
            return
        with kernel_errors(f"name server of container {attachment.container}"):
            sockets = await run_sync(inside, path, open_sockets)
        scope = self._scopes[attachment.container] = anyio.CancelScope()
        self._tasks.start_soon(self._serve, attachment, sockets, scope)

    def remove(self, container: str) -> None:
        """Serve a container no longer; before it is detached, or the sockets keep its namespace alive."""
        scope = self._scopes.pop(container, None)
        if scope is not None:
            scope.cancel()

    async def _serve(self, attachment: Attachment, sockets: Sockets, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._serve_udp, attachment, sockets.udp, tasks)
                    tasks.start_soon(self._serve_tcp, attachment, sockets.tcp, tasks)
        finally:
            sockets.close()

    async def _serve_udp(self, attachment: Attachment, listener: socket.socket, tasks: TaskGroup) -> None:
        while True:
            await anyio.wait_readable(listener)
            try:
                query, client = listener.recvfrom(LARGEST)
            except OSError:
                continue  # an earlier reply could not be delivered; the error is told here (udp(7))
            self._begin(tasks, partial(self._reply_udp, attachment, listener, query, client))

    async def _reply_udp(
        self, attachment: Attachment, listener: socket.socket, query: bytes, client: tuple[str, int]
    ) -> None:
        reply = await self._resolve(attachment, query, udp=True)
        if reply is not None:
            try:
                listener.sendto(reply, client)
            except OSError:
                return  # the client is gone, or its buffer is full: it asks again

    async def _serve_tcp(self, attachment: Attachment, listener: socket.socket, tasks: TaskGroup) -> None:
        while True:
            await anyio.wait_readable(listener)
            try:
                connection, _ = listener.accept()
            except OSError:
                continue  # the client has given up meanwhile (accept(2))
            connection.setblocking(False)
            if not self._begin(tasks, partial(self._reply_tcp, attachment, connection)):
                connection.close()

    async def _reply_tcp(self, attachment: Attachment, connection: socket.socket) -> None:
        with connection:
            while True:
                query = None
                with anyio.move_on_after(IDLE):
                    query = await self._read(connection)
                reply = await self._resolve(attachment, query, udp=False) if query else None
                if reply is None:
                    return
                try:
                    await write_message(connection, reply)
                except OSError:
                    return

    async def _read(self, connection: socket.socket) -> bytes | None:
        try:
            return await read_message(connection)
        except OSError:
            return None

    def _begin(self, tasks: TaskGroup, work: Callable[[], Awaitable[None]]) -> bool:
        """Start work on a query unless too many are under way."""
        if self._pending >= PENDING_MAX:
            return False
        self._pending += 1
        tasks.start_soon(self._count_off, work)
        return True

    async def _count_off(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            self._pending -= 1

    async def _resolve(self, attachment: Attachment, query: bytes, *, udp: bool) -> bytes | None:
        found = await run_sync(partial(self._answer, attachment, query, udp=udp), limiter=self._threads)
        if not isinstance(found, tuple):
            return found
        servers, failure = found
        return await forward(query, servers, udp=udp, port=self._upstream_port) or failure

    def _answer(
        self, attachment: Attachment, query: bytes, *, udp: bool
    ) -> bytes | tuple[tuple[str, ...], bytes] | None:
        """The reply, or the servers to ask and what to say when they are silent. In a thread: reads files."""
        # Importing the library costs tens of milliseconds, which a stack that asks no names never pays.
        from random import SystemRandom

        from orchestra.driver.local.net.dns import Forward, answer, server_failure

        reply = answer(self._names.zone(attachment), query, SystemRandom(), udp=udp)
        if not isinstance(reply, Forward):
            return reply
        servers = attachment.nameservers or etc.host_resolv_conf().nameservers
        return servers, server_failure(query) or b""


@asynccontextmanager
async def serving_names(home: Home, stack: str, *, upstream_port: int = 53) -> AsyncIterator[NameServer]:
    """A name server that serves every container of the stack that is attached now; ``add`` those that come later."""
    async with anyio.create_task_group() as tasks:
        server = NameServer(home, tasks, upstream_port=upstream_port)
        for entry in await run_sync(attachments.load_all, home.stack(stack)):
            path = entry.attachment.namespace_path
            if path is not None and entry.attachment.interfaces and is_pinned(path):
                await server.add(entry.attachment)
        try:
            yield server
        finally:
            tasks.cancel_scope.cancel()
