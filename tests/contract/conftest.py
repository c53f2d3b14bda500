"""The worlds that the driver suite is run on: a factory each, and what differs between them as explicit facts."""

from __future__ import annotations

import os
import select
import shutil
import signal
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestra.driver.fake.driver import FakeDriver
from orchestra.driver.fake.program import Program, Run
from orchestra.driver.fake.world import World
from orchestra.driver.local.driver import open_driver
from orchestra.home import Home
from orchestra.linux.process import identify, open_pidfd
from orchestra.model.names import StackName
from orchestra.model.observed import Running
from orchestra.plan.action import AnonymousVolumes
from orchestra.record import replace
from orchestra.shim.launch import launch
from tests.examples.conftest import eventually
from tests.plan import stacks

STACK = "contract"
# Stands in for the supervisor: tells who it is, and ends the fork server with itself when it is told to.
IDLE = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
with open(sys.argv[1], "w") as file:
    print(os.getpid(), os.getppid(), file=file)
signal.sigwait([signal.SIGTERM])
"""
PROGRAMS = {
    "sleeper": Program(),
    "quick": Program((Run(exits_after=0.05, exit_code=3),)),
    "stubborn": Program((Run(stops_after=None),)),
    "sick": Program((Run(healthy_from=None),)),
}
COMMANDS = {
    "sleeper": ("sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"),
    "quick": ("sh", "-c", "exit 3"),
    "stubborn": ("sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"),
    "sick": ("sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"),
}


class FakeKind:
    """The fake world, in real time."""

    image = "app"

    def __init__(self, _tmp_path) -> None:
        self.probes = {"sleeper": ("true",), "sick": ("true",)}
        self._world = World(StackName(STACK), time.time, PROGRAMS)

    def open(self):
        return FakeDriver(self._world)

    def service(self, name: str, **fields):
        return stacks.service(name, image=self.image, **fields)

    def begun(self, pid: int) -> None:
        return None

    def close(self) -> None:
        return None


class LocalKind:
    """Real containers in this machine's own userland."""

    image = "rootfs:/"

    def __init__(self, tmp_path, runtime="") -> None:
        self.runtime = runtime
        self.probes = {"sleeper": ("sh", "-c", "echo fine"), "sick": ("sh", "-c", "echo not yet; exit 1")}
        self.home = Home(f"{tmp_path}/data", f"{tmp_path}/run")
        self._pids = tmp_path / "pids"
        idle = tmp_path / "idle.py"
        idle.write_text(IDLE)
        launch(self.home.stack(STACK), [str(idle), str(self._pids)])

    def open(self):
        return open_driver(self.home, STACK)

    def service(self, name: str, **fields):
        return stacks.service(name, image=self.image, command=COMMANDS[name], runtime=self.runtime, **fields)

    def begun(self, pid: int) -> None:
        """runc's start returns before its process has become the program; until then any signal ends it."""
        name = Path(f"/proc/{pid}/comm")
        eventually(lambda: not name.exists() or name.read_text() == "sh\n")

    def close(self) -> None:
        deadline = time.monotonic() + 30
        while not (self._pids.exists() and self._pids.read_text().endswith("\n")):
            assert time.monotonic() < deadline, "the fork server has started nobody"
        supervisor, fork_server = map(int, self._pids.read_text().split())
        pidfd = open_pidfd(identify(fork_server))
        os.kill(supervisor, signal.SIGTERM)
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            assert poll.poll(30_000), "the fork server does not end"
        finally:
            os.close(pidfd)


NEEDS_ROOT = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(params=["fake", *(pytest.param(kind, marks=NEEDS_ROOT) for kind in ("local", "crun", "runc"))])
def kind(request, tmp_path):
    """One kind of world: this machine's with our own runtime, or another."""
    runtime = "" if request.param in ("fake", "local") else request.param
    if runtime and not shutil.which(runtime):
        pytest.skip(f"{runtime} is not installed")
    made = FakeKind(tmp_path) if request.param == "fake" else LocalKind(tmp_path, runtime)
    yield made
    made.close()


class Used:
    """A driver within ``serving``, with a stack whose images, networks and volumes are there."""

    def __init__(self, kind, driver, desired) -> None:
        self.kind = kind
        self.driver = driver
        self.desired = desired
        self.digest = ""

    def spec(self, service: str):
        return next(spec for spec in self.desired.containers if spec.service == service)

    def name(self, service: str) -> str:
        return self.spec(service).name

    async def prepare(self) -> None:
        for image in self.desired.images:
            self.digest = (await self.driver.pull(image)).digest
        for network in self.desired.networks:
            await self.driver.create_network(network)
        for volume in self.desired.volumes:
            await self.driver.create_volume(volume)

    async def create(self, service: str):
        await self.driver.create(self.spec(service), self.digest)
        return await self.look(service)

    async def start(self, service: str, restarts: int = 0, backoff: int = 0):
        await self.driver.start(self.name(service), restarts=restarts, backoff=backoff)
        container = await self.look(service)
        if isinstance(container.status, Running):
            self.kind.begun(container.status.pid)
        return container

    async def look(self, service: str):
        return await self.driver.inspect(self.name(service))

    async def clear(self) -> None:
        for name in (await self.driver.observe(self.desired)).containers:
            await self.driver.stop(name, signal="SIGKILL", timeout=1)
            await self.driver.remove(name, volumes=AnonymousVolumes.DELETE)
        for network in self.desired.networks:
            await self.driver.remove_network(network.name)
        for volume in self.desired.volumes:
            await self.driver.remove_volume(volume.name)


@pytest.fixture
def using(kind):
    """A factory of contexts: ``async with using("sleeper") as used``."""

    @asynccontextmanager
    async def make(*services: str, **fields):
        desired = stacks.stack(*(kind.service(name, **fields) for name in services), name=STACK)
        driver = kind.open()
        async with driver.serving():
            used = Used(kind, driver, replace(desired, stack=StackName(STACK)))
            await used.prepare()
            try:
                yield used
            finally:
                await used.clear()

    return make
