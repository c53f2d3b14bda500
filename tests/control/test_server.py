"""The server by itself, with commands that do what is hard to time with a real stack."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from orchestra.control import server, wire
from orchestra.control.client import Client
from orchestra.control.server import Server
from orchestra.engine.broadcast import Broadcast
from orchestra.home import Home
from orchestra.linux import unix_socket
from orchestra.model.event import BlockedEvent
from orchestra.model.request import PingRequest, UpRequest
from orchestra.model.resource import ResourceId
from orchestra.model.result import PingResult, UpResult

pytestmark = pytest.mark.anyio
OPERATIONS = ("up", "foresee", "down", "observe", "attend", "settle", "events", "ping")
OPERATIONS += ("stop", "start", "restart", "kill", "pause", "remove", "wait", "run", "conclude", "cancel")
OPERATIONS += ("connect", "disconnect", "edit", "halt")


async def test_an_event_of_the_last_moment_comes_before_the_answer(tmp_path):
    broadcast = Broadcast()
    heard = []

    async def ping(_request):
        await anyio.wait_all_tasks_blocked()
        broadcast.send(BlockedEvent(1.0, ()))
        return PingResult(leaving=not heard)

    commands = SimpleNamespace(**dict.fromkeys(OPERATIONS, ping))
    home = Home(f"{tmp_path}/data", f"{tmp_path}/run").stack("s")
    (tmp_path / "run/stacks/s").mkdir(parents=True)
    with unix_socket.listen(home.control_socket) as listening:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Server(commands, commands, commands, broadcast, "s").serve, listening)
            with anyio.fail_after(10):
                ask = partial(Client(home).ask, PingResult, PingRequest(), heard.append)
                answer = await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
            tasks.cancel_scope.cancel()
    broadcast.close()
    assert answer == PingResult(leaving=True)
    assert len(heard) == 1


class Serving:
    """A server whose requests end when the test says so."""

    def __init__(self, tmp_path) -> None:
        self.broadcast = Broadcast()
        self.broadcast.recap = lambda: ()
        self.done = anyio.Event()
        commands = SimpleNamespace(**dict.fromkeys(OPERATIONS, self._work))
        self.server = Server(commands, commands, commands, self.broadcast, "s")
        self.home = Home(f"{tmp_path}/data", f"{tmp_path}/run").stack("s")
        (tmp_path / "run/stacks/s").mkdir(parents=True)
        self.listening = unix_socket.listen(self.home.control_socket)

    async def _work(self, *_request):
        await self.done.wait()
        return UpResult()

    def connect(self, said=b""):
        connection = unix_socket.connect(self.home.control_socket)
        connection.sendall(said)
        return connection

    async def until(self, condition):
        with anyio.fail_after(10):
            while not condition():
                await anyio.wait_all_tasks_blocked()
                await anyio.lowlevel.checkpoint()


@pytest.fixture
def serving(tmp_path):
    serving = Serving(tmp_path)
    yield serving
    serving.listening.close()
    serving.broadcast.close()


QUESTION = wire.encode_request(UpRequest(), b'{"stack":"s"}')


@pytest.mark.parametrize("said", [b"", b'{"op": "ping"', QUESTION[:-1]])
async def test_a_client_that_does_not_finish_its_request_is_let_go_of(serving, monkeypatch, said):
    monkeypatch.setattr(server, "FIRST_WORD", 0.2)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serving.server.serve, serving.listening)
        with serving.connect(said) as idle:
            await serving.until(lambda: serving.server.busy == 1)
            await serving.until(lambda: serving.server.busy == 0)
            assert b"orchestra" in idle.recv(65536)
            assert idle.recv(1) == b""
        tasks.cancel_scope.cancel()


async def test_a_client_that_never_reads_holds_neither_memory_nor_the_end(serving, monkeypatch):
    monkeypatch.setattr(server, "LAST_WORD", 0.2)
    monkeypatch.setattr(server, "BACKLOG", 100)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serving.server.serve, serving.listening)
        with serving.connect(QUESTION):
            await serving.until(lambda: serving.broadcast._subscribers)
            for _ in range(200):
                for _ in range(100):
                    serving.broadcast.send(BlockedEvent(1.0, ((ResourceId.container("x"), "y" * 100),)))
                await anyio.lowlevel.checkpoint()
            serving.done.set()
            await serving.until(lambda: serving.server.busy == 0)
        tasks.cancel_scope.cancel()


async def test_a_client_of_another_driver_is_refused(serving):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serving.server.serve, serving.listening)
        with serving.connect(wire.encode_request(UpRequest(), b'{"stack":"s"}', "fake")) as client:
            said = b""
            while b'"error"' not in said:
                await anyio.wait_readable(client)
                said += client.recv(65536)
            assert b"stack s is run by the driver local, not fake" in said
        tasks.cancel_scope.cancel()
