"""One simulated life of a stack: an engine that is kept running, as by a fork server, in a world full of troubles."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from orchestra.engine.loop import RESYNC, Engine
from orchestra.engine.updates import follow_updates
from orchestra.model.observed import Exited
from orchestra.plan.earlier import go_back
from orchestra.plan.one_offs import after_runs
from orchestra.plan.plan import plan
from orchestra.testing.simulation.checked import CheckedDriver
from orchestra.testing.simulation.troubles import PEACE
from orchestra.testing.simulation.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from orchestra.driver.fake.world import World
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed
    from orchestra.plan.plan import Plan
    from orchestra.plan.rolling import FailedUpdate
    from orchestra.testing.simulation.troubles import Troubles

EPOCH = 1_000_000.0
LOOKING = 5.0
"""Virtual seconds in which every look at a container has ended."""
PATIENCE = 4 * 3600.0
"""Virtual seconds in which every world must come to rest."""
CRASH_WITHIN = 200
"""Calls of the driver among which the supervisor dies."""
MEDDLE_WITHIN = 60.0
"""Virtual seconds in which others do something to the machine."""
EFFORTS = frozenset(
    ("created", "starting", "stopping", "removed", "pulled", "connected", "disconnected", "drained", "hook")
)
EFFORT_FOR_EACH = 3
"""How much may be done for each reason; at most 2.3 was seen in hundreds of lives."""
ILL_FOR = (1.0, 20.0, 90.0)
"""Virtual seconds that an illness takes: too short to be noticed, or long enough to be unhealthy."""
JUMPS = (-3600.0, -2.0, 30.0, 3600.0)
"""Seconds by which the clock is set."""


class WallClock:
    """The clock of the machine: Unix seconds. It follows the time of the running loop, and may be set."""

    def __init__(self) -> None:
        self.ahead = EPOCH

    def __call__(self) -> float:
        try:
            return self.ahead + asyncio.get_running_loop().time()
        except RuntimeError:
            return self.ahead


class Simulation:
    """clock: the one that the world was made with. Everything that goes wrong follows from the seed.

    calls: how many calls of the driver have begun or ended so far. crashes_at: those at which the supervisor dies.
    """

    def __init__(
        self, desired: Desired, world: World, clock: WallClock, troubles: Troubles = PEACE, seed: object = 0
    ) -> None:
        self.desired = desired
        self.world = world
        self.clock = clock
        self.troubles = troubles
        self.chance = Random(f"what goes wrong in {seed}")
        self.faults = troubles.faults(self.chance, self._visit)
        self.engine: Engine | None = None
        self.changed: Callable[[Desired], None] = lambda _desired: None
        self.calls = 0
        self._size = _size(desired)
        self._asked = self._size
        self.crashes_at = {self.chance.randint(1, CRASH_WITHIN) for _ in range(troubles.crashes)}
        self.begun = anyio.Event()
        self._ill: list[str] = []
        self._scope: anyio.CancelScope | None = None
        self._meddling: anyio.CancelScope | None = None

    def start(self, tasks: TaskGroup) -> None:
        tasks.start_soon(self._keep_an_engine_running)
        tasks.start_soon(self._meddle)

    @property
    def running(self) -> Engine:
        assert self.engine is not None, "no engine has been started yet"
        return self.engine

    def ask(self, desired: Desired) -> None:
        """This is wanted from now on."""
        self.desired = desired
        before, self._size = self._size, _size(desired)
        self._asked += max(before, self._size)
        if self.engine is not None:
            self.engine.set_desired(desired)

    def crash(self) -> None:
        """The supervisor dies now; the next one takes over."""
        if self._scope is not None:
            self._scope.cancel()

    def _visit(self, _point: str) -> None:
        self.calls += 1
        if self.calls in self.crashes_at and self._scope is not None:
            self._scope.cancel()

    async def _keep_an_engine_running(self) -> None:
        while True:
            self._scope = anyio.CancelScope()
            with self._scope:
                driver = CheckedDriver(self.world, self.faults)
                self.engine = driver.engine = Engine(driver, self.desired, clock=self.clock)
                self.begun.set()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._follow, self.engine)
                    tasks.start_soon(follow_updates, self.engine, self._end_updates)
                    tasks.start_soon(Watch(self.engine, self.world).run)
                    await self.engine.run()
            await anyio.lowlevel.checkpoint()

    async def _follow(self, engine: Engine) -> None:
        """Write down which one-off commands have run, and what has gone back after `up`, as a supervisor does."""
        while True:
            await engine.wait(_is_to_be_written)
            before, observed = self.desired, engine.observed
            self._change(after_runs(go_back(before, observed) if engine.plan.converged else before, observed))

    async def _end_updates(self, change: Callable[[Desired], Desired], _failed: tuple[FailedUpdate, ...]) -> None:
        self._change(change(self.desired))

    def _change(self, desired: Desired) -> None:
        self.ask(desired)
        self.changed(desired)

    async def _meddle(self) -> None:
        """What others do to the machine, at moments of the seed."""
        moments = [(self.chance.uniform(0.0, MEDDLE_WITHIN), self._drift) for _ in range(self.troubles.drift)]
        moments += [(self.chance.uniform(0.0, MEDDLE_WITHIN), self._jump) for _ in range(self.troubles.clock_jumps)]
        for _ in range(self.troubles.illnesses):
            begins = self.chance.uniform(0.0, MEDDLE_WITHIN)
            moments += [(begins, self._sicken), (begins + self.chance.choice(ILL_FOR), self._cure)]
        with anyio.CancelScope() as self._meddling:
            for at, trouble in sorted(moments, key=lambda moment: moment[0]):
                await anyio.sleep(max(0.0, at - anyio.current_time()))
                trouble()

    def _drift(self) -> None:
        containers = self.world.observed.containers.values()
        replicas = sorted(each.name for each in containers if not each.initializes)
        if self.chance.random() < 0.2 or not replicas:
            self.world.lose_rules()
        elif self.chance.random() < 0.5:
            self.world.kill(self.chance.choice(replicas))
        else:
            self.world.take(self.chance.choice(replicas))

    def _sicken(self) -> None:
        services = sorted({each.service for each in self.world.observed.containers.values()})
        if services:
            self._ill.append(self.chance.choice(services))
            self.world.set_illness(self._ill[-1], ill=True)

    def _cure(self) -> None:
        while self._ill:
            self.world.set_illness(self._ill.pop(), ill=False)

    def _jump(self) -> None:
        seconds = self.chance.choice(JUMPS)
        self.clock.ahead += seconds
        self.world.shift(seconds)

    async def end_troubles(self) -> None:
        """From now on nothing goes wrong any more."""
        self.crashes_at = set()
        self.faults.end()
        if self._meddling is not None:
            self._meddling.cancel()
        self._cure()
        await anyio.sleep(1.0)  # a crashed engine has its successor by then

    async def come_to_rest(self) -> None:
        """Until nothing is left to do, even after a look that no lost event can have spoiled."""
        with anyio.move_on_after(PATIENCE) as patience:
            await self.running.wait(_has_converged)
            await anyio.sleep(RESYNC + LOOKING)
            await self.running.wait(_has_converged)
            while self._has_something_just_ended():
                await anyio.sleep(LOOKING)  # the look at it may still be under way
                await self.running.wait(_has_converged)
        assert not patience.cancelled_caught, f"never came to rest: {self.running.plan}"

    def _has_something_just_ended(self) -> bool:
        since = self.clock() - LOOKING
        for entry in reversed(self.world.journal):
            if entry.what == "exited" and entry.at > since:
                return True
            if entry.at < since - LOOKING:
                return False
        return False

    def check_rest(self) -> None:
        """The engine knows the world as it is, and another plan has nothing to do."""
        view = self.running.observed
        truth = self.world.view(self.desired)
        assert view.containers == truth.containers, "the engine sees other containers than there are"
        assert view.networks == truth.networks, "the engine sees other networks than there are"
        assert view.volumes == truth.volumes, "the engine sees other volumes than there are"
        left = plan(self.running.desired, view, {}, self.clock())
        assert not left.ready, f"there is something left to do: {left.ready}"
        self._check_leftovers()
        self._check_effort()

    def _check_leftovers(self) -> None:
        """Of the services that are declared there is no more than what is wanted."""
        desired = self.running.desired
        for name, container in self.running.observed.containers.items():
            spec = desired.container(name)
            if container.initializes or container.service not in desired.services:
                continue
            assert spec is not None or container.service in desired.disabled, f"{name} is not wanted any more"
            ended = isinstance(container.status, Exited)
            goes = ended and spec is not None and spec.one_off is not None and spec.one_off.remove_when_ended
            assert not goes, f"{name} was to be removed at its end"

    def _check_effort(self) -> None:
        """What was done is bounded by what was asked for, what ended by itself and what went wrong."""
        done, ended = 0, 0
        stopping: set[str] = set()
        for entry in self.world.journal:
            done += entry.what.partition(" ")[0] in EFFORTS
            if entry.what == "stopping":
                stopping.add(entry.name)
            elif entry.what == "exited":
                ended += entry.name not in stopping
                stopping.discard(entry.name)
        reasons = self._asked + ended + self.faults.raised
        reasons += 2 * self.troubles.crashes + 3 * self.troubles.drift
        assert done <= EFFORT_FOR_EACH * reasons + 10, f"{done} things were done for {reasons} reasons"


def _size(desired: Desired) -> int:
    return sum(1 + len(spec.pre_start) for spec in desired.containers)


def _is_to_be_written(desired: Desired, observed: Observed, plan: Plan) -> bool:
    return after_runs(desired, observed) is not desired or _has_gone_back(desired, observed, plan)


def _has_gone_back(desired: Desired, observed: Observed, plan: Plan) -> bool:
    return plan.converged and go_back(desired, observed) is not desired


def _has_converged(desired: Desired, observed: Observed, plan: Plan) -> bool:
    is_settled = plan.converged and not plan.updated and not plan.failing
    return is_settled and not _has_gone_back(desired, observed, plan)
