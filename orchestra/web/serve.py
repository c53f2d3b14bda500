"""From the options of ``orchestra web`` to a server that runs, until a signal ends it."""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import anyio.from_thread
import anyio.to_thread
import uvicorn

from orchestra.errors import UserError
from orchestra.linux.systemd.notify import notify
from orchestra.record import Record
from orchestra.stacks.containers import find_stack
from orchestra.stacks.hearing import Wake
from orchestra.stacks.sockets import bracketed, listen_on, split_address
from orchestra.web.access import Keys, Role, is_any, is_loopback, make_door
from orchestra.web.application import make_application
from orchestra.web.desk import Desk
from orchestra.web.feed import Feed
from orchestra.web.live import Live

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterator

    from orchestra.stacks.context import Context
    from orchestra.web.feed import Message

AT_ONCE = 512
"""Connections; further ones are told to come back later."""
LAST_WORDS = 2
"""Seconds that open answers have to end, before they are cut off."""
LONGEST_MESSAGE = 1 << 16
"""Bytes of keyboard input in one message."""


class ServeOptions(Record):
    """address, port: to listen at; port 0 for any free one. url: where a proxy serves the page, None without one."""

    address: str = "127.0.0.1"
    port: int = 0
    read_only: bool = False
    allow_remote: bool = False
    url: str | None = None


class Opened(Record):
    """urls: by role, each with its token. is_remote: other machines can connect."""

    urls: dict[Role, str]
    is_remote: bool


def parse_listen(text: str) -> tuple[str, int]:
    """``ADDRESS:PORT`` or ``PORT``. Raises UserError."""
    from ipaddress import ip_address

    try:
        address, port = split_address(text)
        address = "127.0.0.1" if address in ("", "localhost") else address
        ip_address(address)
    except ValueError:
        raise UserError(f"--listen {text}: expected ADDRESS:PORT", hint="for example 127.0.0.1:8080") from None
    return address, port


def check_url(text: str) -> None:
    """Raises UserError for what is not the address of a whole server."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
        raise UserError(f"--url {text}: expected an address such as https://stack.example.com")


def serve(context: Context, options: ServeOptions, ready: Callable[[Opened], None]) -> None:
    """Return when a signal has told it to end. ready: called once clients can connect.

    Raises UserError, EnvironmentLack, and the errors of a load.
    """
    context.need_privileges()
    is_remote = not is_loopback(options.address)
    if is_remote and not options.allow_remote:
        raise UserError(
            f"other machines could connect to {options.address}, without encryption",
            hint="listen at 127.0.0.1 behind a proxy with TLS, or add --allow-remote",
        )
    if is_any(options.address) and options.url is None:
        raise UserError(
            f"{options.address} is no name that a browser can ask for",
            hint="add --url with the address of the page, such as http://192.0.2.1:8080",
        )
    stack = find_stack(context).stack
    with listen_on(options.address, options.port) as listener:
        port = listener.getsockname()[1]
        keys = Keys((Role.VIEWER,) if options.read_only else (Role.OPERATOR, Role.VIEWER))
        door = make_door(options.address, port, options.url)
        desk = Desk(context, stack, keys, door, Feed(), read_only=options.read_only)
        base = (options.url or f"http://{bracketed(options.address)}:{port}").rstrip("/")
        opened = Opened({role: f"{base}/?token={token}" for role, token in keys.tokens.items()}, is_remote)
        anyio.run(_serve, desk, listener, lambda: ready(opened))


async def _serve(desk: Desk, listener: socket.socket, ready: Callable[[], None]) -> None:
    config = uvicorn.Config(
        make_application(desk),
        http="h11",
        ws="wsproto",
        lifespan="off",
        interface="asgi3",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=AT_ONCE,
        timeout_graceful_shutdown=LAST_WORDS,
        ws_max_size=LONGEST_MESSAGE,
    )
    server = _Server(config, ready)
    async with anyio.create_task_group() as group:
        group.start_soon(_end_on_signal, server, desk)
        async with _living(desk):
            await server.serve([listener])
        group.cancel_scope.cancel()


@asynccontextmanager
async def _living(desk: Desk) -> AsyncIterator[None]:
    """The thread that looks at the stack. If it fails, so does the server: a page that no longer changes would lie."""

    def publish(message: Message) -> None:
        anyio.from_thread.run_sync(desk.feed.publish, message)

    with closing(Wake()) as wake:
        desk.live = live = Live(desk.context, desk.stack, publish, lambda: desk.feed.has_readers, wake)
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, live.run)
            try:
                yield
            finally:
                desk.live = None
                desk.feed.close()
                live.close()


class _Server(uvicorn.Server):
    """It leaves signals alone: they end answers that would go on for ever, too."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()
        notify("READY=1")


async def _end_on_signal(server: uvicorn.Server, desk: Desk) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            server.should_exit = True
            desk.feed.close()
