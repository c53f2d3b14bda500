"""The control socket: greets a client, checks its user, reads one request, sends events and a result.

Requests are independent of connections: each runs to its end whether its client reads, stalls or hangs up.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio.abc import SocketAttribute, UNIXSocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from orchestra import __version__
from orchestra.control import wire
from orchestra.engine.broadcast import in_batches
from orchestra.errors import EnvironmentLack, OrchestraError, UserError
from orchestra.model.codec import decode, encode
from orchestra.model.desired import Desired
from orchestra.model.request import (
    AttendRequest,
    CancelRequest,
    ConcludeRequest,
    ConnectRequest,
    DisconnectRequest,
    DownRequest,
    EditRequest,
    EventsRequest,
    ForeseeRequest,
    HaltRequest,
    KillRequest,
    ObserveRequest,
    PauseRequest,
    PingRequest,
    RemoveRequest,
    RestartRequest,
    RunRequest,
    SettleRequest,
    StartRequest,
    StopRequest,
    UpRequest,
    WaitRequest,
    operation,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import SocketStream
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from orchestra.control.commands import Commands
    from orchestra.control.life_cycle import LifeCycle
    from orchestra.control.one_offs import OneOffs
    from orchestra.control.wire import Message
    from orchestra.engine.loop import Engine
    from orchestra.model.event import Event

    Handler = Callable[[Message], Awaitable[Message]]

T = TypeVar("T")

SLOWEST = 5.0
"""Seconds that a client that follows events may take to accept one line."""
FIRST_WORD = 30.0
"""Seconds that a client has to send its request; it may have to load a long file first."""
LAST_WORD = 30.0
"""Seconds that a client has after an answer to read the rest, which it may never do."""
BACKLOG = 10_000
"""Messages that may wait for a client; further ones are dropped, except for the answer."""
ACTING = tuple(
    map(operation, (UpRequest, RunRequest, DownRequest, StopRequest, StartRequest, RestartRequest, RemoveRequest))
)
"""Requests that wait for actions: their clients first receive those that are already under way, and may limit how many
are under way at once.
"""
GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, anyio.IncompleteRead)


class Server:
    """Serves clients until cancelled. ``busy`` counts the clients whose request is not answered yet.

    ``leaving``: set when the supervisor is about to exit, so that clients know that it did not crash.
    """

    def __init__(
        self,
        commands: Commands,
        life_cycle: LifeCycle,
        one_offs: OneOffs,
        engine: Engine,
        stack: str,
        driver: str = "local",
    ) -> None:
        self._engine = engine
        self._stack = stack
        self._driver = driver
        self.busy = 0
        self.answered = anyio.Event()
        self.leaving = anyio.Event()
        self._followers = 0
        self._handlers: dict[str, Handler] = {
            operation(UpRequest): _with_desired(UpRequest, commands.up),
            operation(EditRequest): _plain(EditRequest, commands.edit),
            operation(RunRequest): _with_desired(RunRequest, one_offs.run),
            operation(ConcludeRequest): _plain(ConcludeRequest, one_offs.conclude),
            operation(CancelRequest): _plain(CancelRequest, one_offs.cancel),
            operation(ForeseeRequest): _with_desired(ForeseeRequest, commands.foresee),
            operation(DownRequest): _plain(DownRequest, commands.down),
            operation(StopRequest): _plain(StopRequest, life_cycle.stop),
            operation(StartRequest): _plain(StartRequest, life_cycle.start),
            operation(RestartRequest): _plain(RestartRequest, life_cycle.restart),
            operation(KillRequest): _plain(KillRequest, life_cycle.kill),
            operation(PauseRequest): _plain(PauseRequest, life_cycle.pause),
            operation(ConnectRequest): _plain(ConnectRequest, life_cycle.connect),
            operation(DisconnectRequest): _plain(DisconnectRequest, life_cycle.disconnect),
            operation(RemoveRequest): _plain(RemoveRequest, life_cycle.remove),
            operation(WaitRequest): _plain(WaitRequest, life_cycle.wait),
            operation(ObserveRequest): _plain(ObserveRequest, commands.observe),
            operation(AttendRequest): _plain(AttendRequest, commands.attend),
            operation(SettleRequest): _plain(SettleRequest, commands.settle),
            operation(HaltRequest): _plain(HaltRequest, life_cycle.halt),
            operation(EventsRequest): _plain(EventsRequest, commands.events),
            operation(PingRequest): _plain(PingRequest, commands.ping),
        }

    async def serve(self, listening: socket.socket) -> None:
        """Accept in the loop itself: cancelling a separate accepting task could lose a connection."""
        listening.setblocking(False)
        async with anyio.create_task_group() as tasks:
            while True:
                await anyio.wait_readable(listening)
                with suppress(BlockingIOError):
                    accepted, _address = listening.accept()
                    self.busy += 1
                    tasks.start_soon(self._serve_client, accepted)

    async def say_farewell(self) -> None:
        """Return when every client that follows events has been notified, after a second at the latest."""
        self.leaving.set()
        with anyio.move_on_after(1):
            while self._followers:
                await self.answered.wait()

    async def _serve_client(self, accepted: socket.socket) -> None:
        """Always close the connection: a client would otherwise wait for ever."""
        try:
            with accepted:
                async with await UNIXSocketStream.from_socket(accepted) as connection:
                    await self._converse(connection)
        finally:
            self.busy -= 1
            self.answered.set()
            self.answered = anyio.Event()

    async def _converse(self, connection: SocketStream) -> None:
        try:
            await connection.send(wire.encode(self._greeting()))
            _check_peer(connection.extra(SocketAttribute.raw_socket))
            with anyio.fail_after(FIRST_WORD):
                line = await BufferedByteReceiveStream(connection).receive_until(b"\n", wire.MAX_LINE)
            request, handler = self._read(line)
        except (*GONE, anyio.DelimiterNotFound, TimeoutError):
            return
        except OrchestraError as error:
            await self._send_last(connection, wire.describe_error(error))
            return
        if request["op"] == operation(EventsRequest):
            await self._relay(connection)
        else:
            await self._work(connection, request, handler)

    def _greeting(self) -> Message:
        return {
            "orchestra": __version__,
            "stack": self._stack,
            "supervisor": os.getpid(),
            "fork_server": os.getppid(),
        }

    def _read(self, line: bytes) -> tuple[Message, Handler]:
        try:
            request = wire.decode(line)
        except ValueError as error:
            raise UserError(f"the request cannot be read: {error}") from error
        if request.get("version") != __version__:
            raise UserError(
                f"the supervisor of stack {self._stack} is orchestra {__version__}, not {request.get('version')}",
                hint=f"run kill {os.getppid()} to end its fork server; another then takes over, and no container stops",
            )
        if request.get("driver") != self._driver:
            raise UserError(
                f"stack {self._stack} is run by the driver {self._driver}, not {request.get('driver')}",
                hint=f"use --driver {self._driver}, or take the stack down with it first",
            )
        handler = self._handlers.get(str(request.get("op")))
        if handler is None:
            raise UserError(f"no such request: {request.get('op')}")
        return request, handler

    async def _work(self, connection: SocketStream, request: Message, handler: Handler) -> None:
        outbox, letters = anyio.create_memory_object_stream["Message"](BACKLOG)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._deliver, connection, letters)
            async with outbox, self._engine.subscribe() as events:
                for event in self._engine.recap() if request["op"] in ACTING else ():
                    self._post(event, outbox)
                # Leave only when the pump has ended: an event may have reached it just before it was cancelled.
                async with anyio.create_task_group() as pump:
                    pump.start_soon(self._pump, events, outbox)
                    answer = await self._answer(request, handler)
                    pump.cancel_scope.cancel()
                tasks.cancel_scope.deadline = anyio.current_time() + LAST_WORD
                while events.statistics().current_buffer_used:
                    self._post(events.receive_nowait(), outbox)
                await outbox.send(answer)

    async def _answer(self, request: Message, handler: Handler) -> Message:
        limit = request.get("parallel", 0) if request["op"] in ACTING else 0
        try:
            with self._engine.at_most(limit) if isinstance(limit, int) and limit > 0 else nullcontext():
                return {"result": await handler(request)}
        except OrchestraError as error:
            return wire.describe_error(error)
        except (KeyError, ValueError) as error:
            return wire.describe_error(UserError(f"the request cannot be carried out: {error!r}"))

    async def _pump(self, events: MemoryObjectReceiveStream[Event], outbox: MemoryObjectSendStream[Message]) -> None:
        async for event in events:
            self._post(event, outbox)

    @staticmethod
    def _post(event: Event, outbox: MemoryObjectSendStream[Message]) -> None:
        with suppress(anyio.WouldBlock):
            outbox.send_nowait({"event": encode(event)})

    async def _deliver(self, connection: SocketStream, letters: MemoryObjectReceiveStream[Message]) -> None:
        """Send messages; once the client is gone, keep reading and discard them, so that the request can continue."""
        listening = True
        async with letters:
            async for batch in in_batches(letters):
                if not listening:
                    continue
                try:
                    await connection.send(b"".join(map(wire.encode, batch)))
                except GONE:
                    listening = False

    async def _relay(self, connection: SocketStream) -> None:
        """Send events until the client hangs up or the supervisor exits. Not counted as busy: no client is waiting."""
        self.busy -= 1
        self._followers += 1
        self.answered.set()
        self.answered = anyio.Event()
        try:
            async with self._engine.subscribe() as events, anyio.create_task_group() as tasks:
                # Do not await between the two: the client gets every change after this snapshot, and no earlier one.
                first = self._engine.snapshot()
                tasks.start_soon(self._send_events, connection, first, events, tasks.cancel_scope)
                tasks.start_soon(self._until_hung_up, connection, tasks.cancel_scope)
                await self.leaving.wait()
                tasks.cancel_scope.cancel()
            if self.leaving.is_set():
                await self._send_last(connection, {"result": {}})
        finally:
            self._followers -= 1
            self.busy += 1

    async def _send_events(
        self,
        connection: SocketStream,
        first: Event,
        events: MemoryObjectReceiveStream[Event],
        scope: anyio.CancelScope,
    ) -> None:
        async def send(event: Event) -> None:
            # Once part of a line is missing, the connection is useless.
            with anyio.CancelScope(shield=True), anyio.fail_after(SLOWEST):
                await connection.send(wire.encode({"event": encode(event)}))

        try:
            await send(first)
            async for event in events:
                await send(event)
        except (*GONE, TimeoutError):
            scope.cancel()

    async def _until_hung_up(self, connection: SocketStream, scope: anyio.CancelScope) -> None:
        try:
            while True:
                await connection.receive()
        except GONE:
            scope.cancel()

    async def _send_last(self, connection: SocketStream, message: Message) -> None:
        try:
            await connection.send(wire.encode(message))
        except GONE:
            print("a client disconnected before it received its error", file=sys.stderr, flush=True)


def _plain(type_: type[T], carry_out: Callable[[T], Awaitable[object]]) -> Handler:
    async def handle(message: Message) -> Message:
        result: Message = encode(await carry_out(decode(type_, message["request"])))
        return result

    return handle


def _with_desired(type_: type[T], carry_out: Callable[[T, Desired], Awaitable[object]]) -> Handler:
    async def handle(message: Message) -> Message:
        new = decode(Desired, message["desired"])
        result: Message = encode(await carry_out(decode(type_, message["request"]), new))
        return result

    return handle


def _check_peer(connection: socket.socket) -> None:
    """Admit only this user and root (SO_PEERCRED, unix(7)). Raises EnvironmentLack."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iii"))
    _pid, uid, _gid = struct.unpack("iii", credentials)
    if uid not in (0, os.geteuid()):
        raise EnvironmentLack(
            f"the stack belongs to user {os.geteuid()}, not to user {uid}", hint="run it as that user, or as root"
        )
