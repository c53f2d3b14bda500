"""The Driver protocol on a ``World``, with ``Faults``."""

from __future__ import annotations

from contextlib import asynccontextmanager, nullcontext
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING

import anyio

from orchestra.driver.fake.faults import Faults
from orchestra.engine.driver import ProbeResult
from orchestra.errors import FatalError, TemporaryError
from orchestra.model.names import ContainerName, NetworkName, VolumeName
from orchestra.model.observed import BY_HAND, Running
from orchestra.plan.action import CreateNetwork, CreateVolume, RemoveNetwork, RemoveVolume
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from orchestra.driver.fake.world import World
    from orchestra.model.container import ContainerSpec, Endpoint
    from orchestra.model.desired import Desired, ImageSpec, NetworkSpec, VolumeSpec
    from orchestra.model.health import Health, Probed
    from orchestra.model.hook import Hook
    from orchestra.model.observed import Container, Image, Observed
    from orchestra.plan.action import AnonymousVolumes


class FakeDriver:
    """Serves one engine; a new engine on the same world gets a new driver."""

    def __init__(self, world: World, faults: Faults | None = None) -> None:
        self.world = world
        self.faults = faults or Faults()
        self._events: list[tuple[float, int, str | None]] = []
        self._sent = 0
        self._arrived = anyio.Event()
        self._changed = anyio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            self.world.listener = self._deliver
            tasks.start_soon(self._pass_time)
            try:
                yield
            finally:
                self.world.listener = None
                tasks.cancel_scope.cancel()

    async def observe(self, desired: Desired) -> Observed:
        await self._point("observe", "")
        seen = self.world.view(desired)
        await self._point("observe", "", failing=False)
        return seen

    async def inspect(self, name: str) -> Container | None:
        await self._point("inspect", name)
        container = self.world.observed.containers.get(name)
        await self._point("inspect", name, failing=False)
        return container

    async def events(self) -> AsyncIterator[str | None]:
        while True:
            while self._events and self._events[0][0] <= anyio.current_time():
                yield heappop(self._events)[2]
            self._arrived = anyio.Event()
            with anyio.move_on_at(self._events[0][0]) if self._events else nullcontext():
                await self._arrived.wait()

    def take_environment(self, environment: Mapping[str, str]) -> None:
        """Nothing here uses a registry."""

    async def pull(self, image: ImageSpec) -> Image:
        await self._point("pull", image.reference)
        digest = self.world.digest(image)
        if digest is None or (image.pull_policy == "never" and image.key not in self.world.observed.images):
            raise FatalError(f"no such image: {image.reference}", hint="check the reference")
        await anyio.sleep(self.world.pull_seconds.get(image.reference, 0.0))
        made = self.world.make_image(image, digest)
        await self._point("pull", image.reference)
        return made

    async def create_network(self, spec: NetworkSpec) -> None:
        await self._point("create_network", spec.name)
        self.world.apply(CreateNetwork(spec, ""))
        await self._point("create_network", spec.name)

    async def remove_network(self, name: str) -> None:
        await self._point("remove_network", name)
        self.world.apply(RemoveNetwork(NetworkName(name), ""))
        await self._point("remove_network", name)

    async def create_volume(self, spec: VolumeSpec) -> None:
        await self._point("create_volume", spec.name)
        self.world.apply(CreateVolume(spec, ""))
        await self._point("create_volume", spec.name)

    async def remove_volume(self, name: str) -> None:
        await self._point("remove_volume", name)
        self.world.apply(RemoveVolume(VolumeName(name), ""))
        await self._point("remove_volume", name)

    async def check(self, spec: ContainerSpec, image_digest: str, *, settled: bool = True) -> None:
        await self._point("check", spec.name)
        self.world.check(spec)

    async def create(self, spec: ContainerSpec, image_digest: str) -> Container | None:
        await self._point("create", spec.name)
        await anyio.sleep(self.world.program_of(spec).create_seconds)
        self.world.create(spec, image_digest)
        container = self.world.observed.containers.get(spec.name)
        await self._point("create", spec.name)
        return container

    async def connect(self, name: str, endpoint: Endpoint, *, by_hand: bool = False) -> None:
        await self._point("connect", name)
        self.world.connect(name, replace(endpoint, config_hash=BY_HAND) if by_hand else endpoint)
        await self._point("connect", name)

    async def disconnect(self, name: str, network: str, *, by_hand: bool = False) -> None:
        await self._point("disconnect", name)
        self.world.disconnect(name, network, by_hand=by_hand)
        await self._point("disconnect", name)

    async def start(
        self, name: str, *, restarts: int, backoff: int, runs_with: Mapping[ContainerName, str] | None = None
    ) -> Container | None:
        self.world.note_call("starting", name)
        await self._point("start", name)
        await anyio.sleep(self.world.program(name).start_seconds)
        self.begin(name, restarts, backoff, runs_with or {})
        self._changed.set()
        container = self.world.observed.containers.get(name)
        await self._point("start", name)
        return container

    def begin(self, name: str, restarts: int, backoff: int, runs_with: Mapping[ContainerName, str]) -> None:
        """The moment of a start at which the program begins."""
        self.world.start(name, restarts, backoff, runs_with)

    async def drain(self, name: str) -> None:
        await self._point("drain", name)
        self.world.drain(name)
        await self._point("drain", name)

    async def stop(self, name: str, *, signal: str, timeout: float) -> None:
        self.world.note_call("stopping", name)
        await self._point("stop", name)
        self.world.ask_to_stop(name)
        self._changed.set()
        with anyio.move_on_after(timeout):
            while self._runs(name):
                ends_at = self.world.next_end()
                await anyio.sleep(inf if ends_at is None else max(0.0, ends_at - self.world.now()))
        if self._runs(name):
            self.world.kill(name)
        await self._point("stop", name)

    async def kill(self, name: str, signal: int) -> None:
        await self._point("kill", name)
        self.world.deliver(name, signal)
        self._changed.set()
        await self._point("kill", name)

    async def remove(self, name: str, *, volumes: AnonymousVolumes) -> None:
        await self._point("remove", name)
        self.world.remove(name)
        await self._point("remove", name)

    async def probe(self, name: str, command: Sequence[str], *, timeout: float) -> ProbeResult:
        await self._point("probe", name)
        seconds = self.world.program(name).probe_seconds
        await anyio.sleep(min(seconds, timeout))
        if seconds > timeout:
            return ProbeResult(None, "timed out")
        answer = self.world.answers_probe(name)
        if answer is None:
            raise TemporaryError(f"container {name} is not running")
        return ProbeResult(0, "ok") if answer else ProbeResult(1, "not yet")

    async def record_health(self, name: str, health: Health, probed: Probed | None = None) -> None:
        await self._point("record_health", name)
        self.world.record_health(name, health)

    async def run_hook(self, name: str, hook: Hook, *, timeout: float | None) -> ProbeResult:
        await self._point("run_hook", name)
        program = self.world.program(name)
        seconds = program.hook_seconds if timeout is None else min(program.hook_seconds, timeout)
        await anyio.sleep(seconds)
        if not self._runs(name):
            raise TemporaryError(f"container {name} is not running")
        if timeout is not None and program.hook_seconds > timeout:
            return ProbeResult(None)
        word = hook.command[0]
        self.world.note_call(f"hook {word}", name)
        return ProbeResult(1, "no luck\n") if word in program.failing_hooks else ProbeResult(0)

    async def record_hooks(self, name: str, done: int) -> None:
        await self._point("record_hooks", name)
        self.world.record_hooks(name, done)
        await self._point("record_hooks", name)

    def _runs(self, name: str) -> bool:
        container = self.world.observed.containers.get(name)
        return container is not None and isinstance(container.status, Running)

    async def _point(self, method: str, name: str, *, failing: bool = True) -> None:
        """An await point: takes time, may fail, and is a place at which a test may crash the engine."""
        if self.faults.visit is not None:
            self.faults.visit(f"{method} {name}")
        await anyio.sleep(self.faults.pause())
        if failing:
            self.faults.raise_scripted(method, name)
            self.faults.raise_by_chance(method, name)

    def _deliver(self, name: str | None) -> None:
        """Queue an event, each time that it is to arrive. Without a name it only tells that a program ends sooner."""
        if name == "":
            self._changed.set()
        else:
            for pause in self.faults.deliveries():
                self._sent += 1
                heappush(self._events, (anyio.current_time() + pause, self._sent, name))
            self._arrived.set()

    async def _pass_time(self) -> None:
        """Notice the end of programs at the moment it happens."""
        while True:
            self._changed = anyio.Event()
            self.world.pass_time()
            ends_at = self.world.next_end()
            with anyio.move_on_after(None if ends_at is None else max(0.0, ends_at - self.world.now())):
                await self._changed.wait()
