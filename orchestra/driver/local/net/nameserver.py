"""The name server of a stack: listens inside each container's network namespace at 127.0.0.11.

Its sockets have their own ports there, and two rules lead port 53 of the address to them, so that a container may serve
port 53 itself. Queries for names that no stack publishes go to other servers from the host's namespace.
Nothing is stored: after a restart it only has to serve the same containers again.
"""

from __future__ import annotations

import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import anyio
from anyio.to_thread import run_sync

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net.endpoint import RESOLVER
from orchestra.driver.local.net.failure import kernel_errors
from orchestra.driver.local.net.resolver import Resolver, Sockets
from orchestra.driver.local.net.shares import Shares
from orchestra.driver.local.net.zone import PublishedNames
from orchestra.linux.network.namespace import inside, is_pinned
from orchestra.linux.network.nftables import CHAIN, Redirection, redirect
from orchestra.linux.network.nftables_watch import TableWatch, table_content

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup

    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.home import Home

TABLE = "orchestra_dns"
PAUSE = 0.1
"""Seconds between two looks at changes: another program may remove the rules again and again."""
# Questions to other servers in progress: for one container, and for all together.
QUESTIONS_MAX = 64
QUESTIONS_TOTAL = 512


def open_sockets() -> Sockets:
    """Listen in the calling thread's network namespace, and redirect port 53 there to the sockets."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        udp.bind((RESOLVER, 0))
        tcp.bind((RESOLVER, 0))
        tcp.listen(64)
        sockets = Sockets(udp, tcp)
        lead_to(sockets)
    except BaseException:
        udp.close()
        tcp.close()
        raise
    return sockets


def lead_to(sockets: Sockets) -> None:
    """Redirect port 53 of the calling thread's network namespace to the sockets, and nothing else. Raises OSError."""
    ports = (("udp", sockets.udp.getsockname()[1]), ("tcp", sockets.tcp.getsockname()[1]))
    redirect(TABLE, [Redirection(protocol, RESOLVER, 53, port) for protocol, port in ports])


def lead_again(sockets: Sockets) -> bool:
    """``lead_to`` if another program has removed a redirection. Returns whether that was so."""
    content = table_content(TABLE, (CHAIN,))
    if content is not None and content.rules == len(sockets):
        return False
    lead_to(sockets)
    return True


class _Served(NamedTuple):
    """path: of the namespace, which no other container ever has; scope: of its resolver, which closes the sockets."""

    path: str
    scope: anyio.CancelScope
    sockets: Sockets


class NameServer:
    """Answers the questions of containers from ``add`` to ``remove``."""

    def __init__(self, home: Home, tasks: TaskGroup, *, upstream_port: int = 53) -> None:
        self._names = PublishedNames(home)
        self._tasks = tasks
        self._upstream_port = upstream_port
        self._served: dict[str, _Served] = {}
        self._places = Shares(QUESTIONS_TOTAL, QUESTIONS_MAX)
        # Threads of its own: a burst of queries must not delay the supervisor's other work in threads, nor wait for it.
        self._threads = anyio.CapacityLimiter(2)

    async def add(self, attachment: Attachment) -> None:
        """Serve a container from now on. Does nothing if it is served already, or has no networks.

        Raises FatalError.
        """
        path = attachment.namespace_path
        if path is None or not attachment.interfaces:
            return
        served = self._served.get(attachment.container)
        if served is not None and served.path == path:
            return
        self.remove(attachment.container)
        with kernel_errors(f"name server of container {attachment.container}"):
            sockets = await run_sync(inside, path, open_sockets)
        scope = anyio.CancelScope()
        self._served[attachment.container] = _Served(path, scope, sockets)
        resolver = Resolver(attachment, sockets, self._names, self._places, self._threads, self._upstream_port)
        self._tasks.start_soon(self._serve, resolver, scope)

    def remove(self, container: str) -> None:
        """Stop serving a container. Call this before it is detached, or the sockets keep its namespace alive."""
        served = self._served.pop(container, None)
        if served is not None:
            served.scope.cancel()

    async def watch(self) -> None:
        """Restore the redirections that other programs remove, such as one in a container that flushes all rules."""
        try:
            watch = TableWatch(everywhere=True)
        except OSError as error:
            print(f"cannot watch the rules in containers: {error}", file=sys.stderr, flush=True)
            return
        with watch:
            while True:
                await anyio.wait_readable(watch)
                changes = watch.read()
                if changes.tables is None or TABLE in changes.reduced:
                    await self._lead_again()
                await anyio.sleep(PAUSE)

    async def _lead_again(self) -> None:
        for container, served in list(self._served.items()):
            try:
                if await run_sync(inside, served.path, lead_again, served.sockets):
                    print(f"container {container}: restored the rules of its name server", file=sys.stderr, flush=True)
            except OSError:
                continue  # the container has ended, and the sockets are closed

    async def _serve(self, resolver: Resolver, scope: anyio.CancelScope) -> None:
        with scope:
            await resolver.run()


@asynccontextmanager
async def serving_names(home: Home, stack: str, *, upstream_port: int = 53) -> AsyncIterator[NameServer]:
    """A name server for every container of the stack that is attached now; ``add`` those that come later."""
    async with anyio.create_task_group() as tasks:
        server = NameServer(home, tasks, upstream_port=upstream_port)
        for entry in await run_sync(attachments.load_all, home.stack(stack)):
            path = entry.attachment.namespace_path
            if path is not None and entry.attachment.interfaces and is_pinned(path):
                await server.add(entry.attachment)
        tasks.start_soon(server.watch, name="watch on rules in containers")
        try:
            yield server
        finally:
            tasks.cancel_scope.cancel()
