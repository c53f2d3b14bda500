"""A terminal in a container, over a WebSocket: bytes both ways as binary messages, its size as text."""

from __future__ import annotations

import contextlib
import json
import os
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from starlette.websockets import WebSocketDisconnect, WebSocketState

from orchestra.errors import OrchestraError
from orchestra.linux.readiness import readable
from orchestra.stacks.exec import ExecOptions, find_target
from orchestra.web.errors import Refusal, explain
from orchestra.web.reads import whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import HasFileno
    from starlette.websockets import WebSocket

    from orchestra.stacks.exec import Execution
    from orchestra.web.desk import Desk

CHUNK = 1 << 16
PATIENCE = 30.0
"""Seconds for a program to begin, and to take input: processes of its container may keep it from both."""
SHELL = ("/bin/sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; fi; exec sh")
MOST = 16
"""Terminals at the same time."""


class Terminals:
    def __init__(self) -> None:
        self._room = anyio.CapacityLimiter(MOST)

    async def serve(self, desk: Desk, socket: WebSocket, given: Mapping[str, str]) -> None:
        """given: service, index, rows and columns. Errors are told as text, since a refused socket has no words."""
        await socket.accept()
        try:
            if self._room.available_tokens < 1:
                raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many terminals are open", "close some of them")
            async with self._room:
                execution = await anyio.to_thread.run_sync(_begin, desk, _read_options(given))
                with execution:
                    code = await _relay(desk, socket, execution)
            if code is not None:
                await _tell(socket, {"ended": code})
        except (OrchestraError, OSError, Refusal) as error:
            await _tell(socket, explain(error))
        if socket.client_state is WebSocketState.CONNECTED:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await socket.close()


async def _tell(socket: WebSocket, value: object) -> None:
    if socket.client_state is WebSocketState.CONNECTED:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has hung up just now
            await socket.send_text(json.dumps(value))


def _read_options(given: Mapping[str, str]) -> ExecOptions:
    index = whole(given.get("index", "0"))
    rows, columns = whole(given.get("rows", "24")), whole(given.get("columns", "80"))
    return ExecOptions(
        given["service"],
        SHELL,
        replica=index or None,
        environment={"TERM": "xterm-256color"},
        terminal=True,
        console_size=(clamped(rows), clamped(columns)),
    )


def clamped(number: int) -> int:
    return max(1, min(number, 1000))


def _begin(desk: Desk, options: ExecOptions) -> Execution:
    def wait(entering: HasFileno) -> None:
        if not readable(entering.fileno(), PATIENCE):
            raise Refusal(HTTPStatus.GATEWAY_TIMEOUT, "the program does not begin")

    return find_target(desk.context, options).execute((), wait)


async def _relay(desk: Desk, socket: WebSocket, execution: Execution) -> int | None:
    """The exit code; None if the client hangs up or the server ends. The program then ends with its terminal."""
    master = execution.terminal
    os.set_blocking(master, False)
    code: int | None = None

    async def show() -> None:
        nonlocal code
        while data := await _read(master):
            try:
                await socket.send_bytes(data)
            except WebSocketDisconnect:
                group.cancel_scope.cancel()
        await anyio.wait_readable(execution)
        code = await anyio.to_thread.run_sync(execution.wait)
        group.cancel_scope.cancel()

    async def take() -> None:
        while (message := await socket.receive())["type"] == "websocket.receive":
            if message.get("bytes"):
                await _write(master, message["bytes"])
            elif size := read_size(message.get("text") or ""):
                execution.resize(*size)
        group.cancel_scope.cancel()

    async def end_with_server() -> None:
        while not await desk.feed.wait_over(PATIENCE):
            continue
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(show)
        group.start_soon(take)
        group.start_soon(end_with_server)
    return code


def read_size(text: str) -> tuple[int, int] | None:
    """``[rows, columns]``; None for anything else."""
    try:
        match json.loads(text):
            case [int(rows), int(columns)]:
                return clamped(rows), clamped(columns)
    except (ValueError, RecursionError):
        pass
    return None


async def _read(fd: int) -> bytes:
    """b"" at the end."""
    while True:
        await anyio.wait_readable(fd)
        try:
            return os.read(fd, CHUNK)
        except BlockingIOError:
            continue
        except OSError:
            return b""  # EIO: no process has the terminal open any more


async def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            with anyio.move_on_after(PATIENCE) as patience:
                await anyio.wait_writable(fd)
            if patience.cancelled_caught:
                return  # a program that does not read: what was typed is lost, and a client that hangs up is noticed
        except OSError:
            return  # the program has ended: the other direction tells so
