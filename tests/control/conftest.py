"""A supervisor on a fake world, reached over its control socket by the client that commands use."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import pytest

from orchestra.control.client import Client
from orchestra.control.host import Host
from orchestra.driver.fake.driver import FakeDriver
from orchestra.driver.fake.faults import Faults
from orchestra.driver.fake.world import World
from orchestra.home import Home
from orchestra.linux import unix_socket
from orchestra.model.codec import encode
from orchestra.model.names import StackName
from orchestra.model.observation import ObserveResult
from orchestra.model.request import (
    AttendRequest,
    CancelRequest,
    Changes,
    ConcludeRequest,
    DownRequest,
    EventsRequest,
    KillRequest,
    ObserveRequest,
    PauseRequest,
    PingRequest,
    RemoveRequest,
    RestartRequest,
    RunRequest,
    StartRequest,
    StopRequest,
    UpRequest,
    WaitRequest,
)
from orchestra.model.result import (
    AttendResult,
    CancelResult,
    ConcludeResult,
    DownResult,
    EventsResult,
    KillResult,
    PauseResult,
    PingResult,
    RemoveResult,
    RunResult,
    StartResult,
    StopResult,
    UpResult,
    WaitResult,
)

RESULTS = {
    AttendRequest: AttendResult,
    CancelRequest: CancelResult,
    ConcludeRequest: ConcludeResult,
    RunRequest: RunResult,
    DownRequest: DownResult,
    EventsRequest: EventsResult,
    KillRequest: KillResult,
    PauseRequest: PauseResult,
    RemoveRequest: RemoveResult,
    RestartRequest: StartResult,
    StartRequest: StartResult,
    WaitRequest: WaitResult,
    ObserveRequest: ObserveResult,
    PingRequest: PingResult,
    StopRequest: StopResult,
    UpRequest: UpResult,
}


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Supervised:
    """One stack's supervisor, and requests to it."""

    def __init__(self, tmp_path, **programs) -> None:
        self.home = Home(f"{tmp_path}/data", f"{tmp_path}/run").stack("s")
        (tmp_path / "run/stacks/s").mkdir(parents=True)
        (tmp_path / "data/stacks/s").mkdir(parents=True)
        self.world = World(StackName("s"), time.time, programs)
        self.faults = Faults()
        self.listening = unix_socket.listen(self.home.control_socket)
        self.ended = anyio.Event()

    @asynccontextmanager
    async def running(self):
        """While inside, a supervisor runs; it is killed at the end."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run)
            yield
            tasks.cancel_scope.cancel()

    async def _run(self):
        """As the fork server does: a supervisor that is done is started again when somebody connects."""
        while True:
            await anyio.wait_readable(self.listening)
            self.ended = anyio.Event()
            with self.listening.dup() as control:
                await Host(self.home, FakeDriver(self.world, self.faults)).run(control)
            self.ended.set()

    async def ask(self, question, hear=None, desired=None):
        ask = partial(Client(self.home).ask, RESULTS[type(question)], question, hear, desired=desired)
        return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)

    async def up(self, desired, hear=None, *, wait=False, wait_timeout=None, asked_at=0.0, **changes):
        request = UpRequest(Changes(**changes), wait=wait, wait_timeout=wait_timeout, asked_at=asked_at)
        return await self.ask(request, hear, json.dumps(encode(desired)).encode())

    async def run_once(self, desired, name, *dependencies, **changes):
        """desired: with the container of this name in it."""
        spec = desired.container(name)
        asked = Changes(services=dependencies, named=(spec.service,), **changes)
        request = RunRequest(name, asked, asked_at=time.time())
        return await self.ask(request, desired=json.dumps(encode(desired)).encode())

    def states(self):
        return {name: type(container.status) for name, container in self.world.observed.containers.items()}

    def happened(self, *what):
        return [(entry.what, entry.name) for entry in self.world.journal if entry.what in what]


@pytest.fixture
def supervised(tmp_path):
    made = []

    def make(**programs):
        made.append(Supervised(tmp_path, **programs))
        return made[-1]

    yield make
    for each in made:
        each.listening.close()
