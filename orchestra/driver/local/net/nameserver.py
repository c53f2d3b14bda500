"""The supervisor's part in answering names: it opens a container's sockets, and hands them on to the stack's resolver.

The sockets are in the container's network namespace at 127.0.0.11. They have their own ports there, and two rules lead
port 53 of the address to them, so that a container may serve port 53 itself. The resolver (``orchestra.names``) answers
without any privilege, and outlives the supervisor; each has the sockets, so questions wait in them while one is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net.endpoint import RESOLVER
from orchestra.driver.local.net.failure import kernel_errors
from orchestra.linux import unix_socket
from orchestra.linux.network.namespace import inside, is_pinned
from orchestra.linux.network.nftables import CHAIN, Redirection, redirect
from orchestra.linux.network.nftables_watch import TableWatch, table_content
from orchestra.named_tuple import NamedTuple
from orchestra.names.client import Sockets
from orchestra.names.resolver import ORDER_MAX
from orchestra.shim.supervision import Backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.home import Home

TABLE = "orchestra_dns"
PAUSE = 0.1
"""Seconds between two looks at changes: another program may remove the rules again and again."""
PATIENCE = 5.0
"""Seconds in which a resolver that lives has told what it serves."""


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
    """path: of the namespace, which no other container ever has."""

    path: str
    sockets: Sockets


class NameServer:
    """Has the questions of containers answered from ``add`` to ``remove``. launch: starts a resolver, in a thread."""

    def __init__(self, home: Home, stack: str, launch: Callable[[], None]) -> None:
        self._home = home.stack(stack)
        self._launch = launch
        self._served: dict[str, _Served] = {}  # by the containers' directories
        self._connection: socket.socket | None = None
        self._is_wanted = anyio.Event()
        self._sending = anyio.Lock()
        # Threads of its own: the supervisor's other work in threads must not keep names waiting.
        self._threads = anyio.CapacityLimiter(2)

    async def adopt(self) -> None:
        """Take over the resolver of an earlier supervisor, if it lives. Raises FatalError."""
        with contextlib.suppress(OSError):
            self._connection, self._served = await run_sync(self._connect, limiter=self._threads)
        if self._served:
            self._is_wanted.set()
        for directory, served in list(self._served.items()):
            try:
                await run_sync(inside, served.path, lead_again, served.sockets, limiter=self._threads)
            except OSError:
                await self._leave(directory)  # its namespace is gone

    async def add(self, attachment: Attachment) -> None:
        """Serve a container from now on: ``open``, then ``serve``. Raises FatalError."""
        sockets = await run_sync(self.open, attachment, limiter=self._threads)
        if sockets is not None:
            await self.serve(attachment, sockets)

    def open(self, attachment: Attachment) -> Sockets | None:
        """Sockets in a container's namespace, for ``serve``. Any thread may call this. Raises FatalError.

        None if the container is served already, or has no networks.
        """
        path = attachment.namespace_path
        if path is None or not attachment.interfaces:
            return None
        known = self._served.get(self._home.container(attachment.container))
        if known is not None and known.path == path:
            return None
        with kernel_errors(f"name server of container {attachment.container}"):
            return inside(path, open_sockets)

    async def serve(self, attachment: Attachment, sockets: Sockets) -> None:
        """Have questions that come to these sockets answered."""
        directory = self._home.container(attachment.container)
        try:
            await self._leave(directory)
        except BaseException:
            sockets.close()
            raise
        self._served[directory] = served = _Served(attachment.namespace_path or "", sockets)
        self._is_wanted.set()
        await self._hand_on(directory, served)

    async def remove(self, container: str) -> None:
        """Stop serving a container. Call this before it is detached, or the sockets keep its namespace alive."""
        await self._leave(self._home.container(container))

    async def retain(self, containers: set[str]) -> None:
        """Stop serving all others."""
        for directory in self._served.keys() - {self._home.container(name) for name in containers}:
            await self._leave(directory)

    def close(self) -> None:
        """Leave the resolver to the next supervisor, or end it if it serves no container."""
        if not self._served:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._home.names_socket)
        for served in self._served.values():
            served.sockets.close()
        if self._connection is not None:
            self._connection.close()

    async def keep(self) -> None:
        """Start a resolver when there is a container to serve, and another one whenever it has ended."""
        backoff = Backoff()
        while True:
            began = anyio.current_time()
            if self._connection is None:
                await self._is_wanted.wait()
                try:
                    await self._start()
                except OSError as error:
                    print(f"the resolver cannot be started: {error}", file=sys.stderr, flush=True)
            if self._connection is not None:
                await anyio.wait_readable(self._connection)  # its end: it has nothing to say
                print("the resolver has ended: starting another", file=sys.stderr, flush=True)
                self._connection.close()
                self._connection = None
            await anyio.sleep(backoff.next_delay(anyio.current_time() - began))

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
        for directory, served in list(self._served.items()):
            try:
                if await run_sync(inside, served.path, lead_again, served.sockets, limiter=self._threads):
                    name = os.path.basename(directory)
                    print(f"container {name}: restored the rules of its name server", file=sys.stderr, flush=True)
            except OSError:
                continue  # the container has ended, and the sockets are closed

    async def _start(self) -> None:
        await run_sync(self._launch, limiter=self._threads)
        self._connection, _ = await run_sync(self._connect, limiter=self._threads)
        for directory, served in list(self._served.items()):
            await self._hand_on(directory, served)

    def _connect(self) -> tuple[socket.socket, dict[str, _Served]]:
        """Connect to the resolver that lives. Returns what it serves, too. Raises OSError."""
        connection = unix_socket.connect(self._home.names_socket, socket.SOCK_SEQPACKET)
        served: dict[str, _Served] = {}
        try:
            connection.settimeout(PATIENCE)
            while True:
                data, fds = unix_socket.receive(connection, ORDER_MAX)
                if not data:
                    raise ConnectionResetError("the resolver has ended")
                report = json.loads(data)
                if report["op"] == "ready":
                    break
                udp, tcp = (socket.socket(fileno=fd) for fd in fds)
                served[report["directory"]] = _Served(report["namespace"], Sockets(udp, tcp))
            connection.setblocking(False)
        except BaseException:
            connection.close()
            for each in served.values():
                each.sockets.close()
            raise
        return connection, served

    async def _hand_on(self, directory: str, served: _Served) -> None:
        """Unless it has been given up meanwhile."""
        order = {"op": "serve", "directory": directory, "namespace": served.path}
        async with self._sending:
            if self._served.get(directory) is served:
                await self._send(order, [part.fileno() for part in served.sockets])

    async def _leave(self, directory: str) -> None:
        served = self._served.pop(directory, None)
        if served is None:
            return
        served.sockets.close()
        if not self._served:
            self._is_wanted = anyio.Event()
        async with self._sending:
            await self._send({"op": "leave", "directory": directory})

    async def _send(self, order: dict[str, str], fds: list[int] | None = None) -> None:
        """To the resolver that lives; another one is told everything when it begins."""
        while self._connection is not None:
            try:
                unix_socket.send(self._connection, json.dumps(order).encode(), fds or [])
                return
            except BlockingIOError:
                await anyio.wait_writable(self._connection)
            except OSError:
                return  # it has just ended


@asynccontextmanager
async def serving_names(home: Home, stack: str, launch: Callable[[], None]) -> AsyncIterator[NameServer]:
    """Names for every container of the stack that is attached now; ``add`` those that come later."""
    server = NameServer(home, stack, launch)
    try:
        await server.adopt()
        attached = [entry.attachment for entry in await run_sync(attachments.load_all, home.stack(stack))]
        await server.retain({attachment.container for attachment in attached})
        for attachment in attached:
            if attachment.namespace_path is not None and is_pinned(attachment.namespace_path):
                await server.add(attachment)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.keep, name="resolver")
            tasks.start_soon(server.watch, name="watch on rules in containers")
            yield server
            tasks.cancel_scope.cancel()
    finally:
        server.close()
