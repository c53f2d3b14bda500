"""``POST /containers/{id}/attach``, ``attach/ws`` and ``resize``: a client at the standard streams of a container.

Clients attach to a container that they have created before they start it. It knows a socket to look for them at when
its run begins; see ``ContainerSpec.caller``.
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from orchestra.engine_api import websocket
from orchestra.engine_api.containers.life_cycle import PATIENCE
from orchestra.engine_api.containers.logs import has_terminal, read_log, read_selection
from orchestra.engine_api.errors import bad_request, conflict
from orchestra.engine_api.exchange import MULTIPLEXED, RAW_STREAM
from orchestra.engine_api.frames import frame
from orchestra.engine_api.relay import AttachedProgram, await_either, relay
from orchestra.errors import UserError
from orchestra.linux import private_files, tty
from orchestra.shim.attachment import Attachment, Call, attach
from orchestra.stacks.detach_keys import DEFAULT, parse_detach_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import Found, World
    from orchestra.stacks.detach_keys import DetachKeys


def attach_container(world: World, exchange: Exchange) -> None:
    terminal = has_terminal(world.find(exchange.parameters["name"]))
    kind = RAW_STREAM if terminal else MULTIPLEXED
    with _attached(world, exchange, lambda: exchange.hijack(kind), is_raw=terminal) as attached:
        if attached is None:
            return
        streams, client = attached.streams, exchange.connection.socket

        def render(stream: int, data: bytes) -> bytes:
            if terminal:
                return data
            return frame(stream, data) if stream in streams else b""

        program = AttachedProgram(attached.attachment)
        relay(client, attached.first, program, render, takes_input=attached.takes_input, keys=attached.keys)


def attach_by_websocket(world: World, exchange: Exchange) -> None:
    """Both outputs come as they are, one among the other, as with Docker."""
    head = websocket.answer_handshake(exchange.request)
    with _attached(world, exchange, lambda: exchange.switch(head), is_raw=True, logs=_framed) as attached:
        if attached is None:
            return
        streams, client, takes_input = attached.streams, exchange.connection.socket, attached.takes_input

        def render(stream: int, data: bytes) -> bytes:
            return websocket.render(stream, data) if stream < 0 or stream in streams else b""

        inner = AttachedProgram(attached.attachment, takes_input=takes_input)
        with websocket.FramedProgram(inner, attached.keys) as program:
            relay(client, attached.first, program, render, takes_input=True)


def _framed(piece: bytes) -> bytes:
    return websocket.render(1, piece)


class _Attached(NamedTuple):
    """first: input that has come already."""

    attachment: Attachment
    first: bytes
    streams: Collection[int]
    keys: DetachKeys | None
    takes_input: bool


@contextmanager
def _attached(
    world: World,
    exchange: Exchange,
    take_over: Callable[[], bytes],
    *,
    is_raw: bool,
    logs: Callable[[bytes], bytes] = bytes,
) -> Iterator[_Attached | None]:
    """None if there is nothing to attach to, or the client only wants to see what was written before.

    take_over: answers, and gives what has come behind the request. logs: what is made of earlier output.
    """
    request, found = exchange.request, world.find(exchange.parameters["name"])
    if found.is_paused:
        raise conflict(f"container {found.id} is paused, unpause the container before attach")
    keys = read_detach_keys(request.query.get("detachKeys", "")) if has_terminal(found) else None
    selection = read_selection(request, terminal=is_raw)
    with _called(found) as call:
        first = take_over()
        if request.flag("logs"):
            for piece in read_log(found, selection):
                exchange.connection.write(logs(piece))
        attachment = _await_run(world, exchange, found, call) if request.flag("stream") else None
    if attachment is None:
        yield None
        return
    world.events.tell_of(found, "attach")
    takes_input = request.flag("stdin") and bool(found.spec and found.spec.stdin_open)
    with attachment:
        yield _Attached(attachment, first, selection.streams, keys, takes_input)
    if keys is not None and keys.are_typed:
        world.events.tell_of(found, "detach")


@contextmanager
def _called(found: Found) -> Iterator[Call | None]:
    """The socket at which the container finds this client; None if it runs already, or has another client."""
    path = found.spec.caller if found.spec else ""
    if found.runs or not path:
        yield None
        return
    private_files.make_directories(found.home.callers)
    call = Call(path)
    try:
        yield call
    finally:
        call.close()


def _await_run(world: World, exchange: Exchange, found: Found, call: Call | None) -> Attachment | None:
    """None when the client leaves before, or the container is removed."""
    client = exchange.connection.socket
    with world.events.listener() as listener:
        while True:
            if call is not None:
                if await_either(client, call.fileno(), PATIENCE):
                    return call.answer(found.directory)
            else:
                now = world.look_again(found)
                if now is not None and now.runs:
                    return _attach_running(found)
                listener.get(PATIENCE)
            if exchange.connection.has_hung_up or world.look_again(found) is None:
                return None


def _attach_running(found: Found) -> Attachment | None:
    try:
        return attach(found.directory)
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
        return None  # it has just ended


def resize(world: World, exchange: Exchange) -> None:
    found = world.find(exchange.parameters["name"])
    size = read_size(exchange)
    if not found.runs:
        raise conflict(f"container {found.id} is not running")
    attachment = _attach_running(found) if has_terminal(found) else None
    if attachment is not None:
        with attachment:
            attachment.resize(size)
    exchange.empty(HTTPStatus.OK)


def read_detach_keys(text: str) -> DetachKeys | None:
    """Docker's own without a text. Raises ApiError."""
    try:
        return parse_detach_keys(text or DEFAULT)
    except UserError as error:
        raise bad_request(f"Invalid detach keys ({text}) provided") from error


def read_size(exchange: Exchange) -> tty.Size:
    rows, columns = exchange.request.number("h"), exchange.request.number("w")
    if rows is None or columns is None or not (0 <= rows < 1 << 16 and 0 <= columns < 1 << 16):
        raise bad_request("h and w have to be numbers of rows and columns")
    return tty.Size(rows, columns)
