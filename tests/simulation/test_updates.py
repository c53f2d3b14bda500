"""Updates on a fake world in virtual time: how many serve meanwhile, and how they end."""

from __future__ import annotations

from random import Random

import anyio
import pytest

from orchestra.driver.fake.driver import FakeDriver
from orchestra.driver.fake.faults import Faults
from orchestra.driver.fake.program import Program, Run
from orchestra.driver.fake.world import World
from orchestra.engine.loop import Engine
from orchestra.engine.outcome import wait_until_up
from orchestra.engine.updates import follow_updates
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Running
from orchestra.model.update import Ending, FailureAction, Order, Update
from orchestra.plan.earlier import with_earlier
from orchestra.record import replace
from orchestra.testing.simulation.virtual_time import run_in_virtual_time
from tests.plan.stacks import service, stack

EPOCH = 1_000_000.0
PATIENCE = 3600.0

WELL = Program((Run(healthy_from=1.0, stops_after=0.5),), start_seconds=0.1)
ENDS = Program((Run(exits_after=2.0, exit_code=1, healthy_from=None),))
NEVER_HEALTHY = Program((Run(healthy_from=None),))


def clock() -> float:
    return EPOCH + anyio.current_time()


class Versions(World):
    """Programs by the version of a definition. least: how many containers have served at every moment."""

    def __init__(self, versions: dict[str, Program]) -> None:
        super().__init__("s", clock)
        self.versions = versions
        self.least: int | None = None

    def program_of(self, spec):
        return self.versions[spec.config_hash]

    def serving(self) -> int:
        return sum(map(serves, self.observed.containers.values()))

    def _note(self, what, name, *rest, **more):
        super()._note(what, name, *rest, **more)
        if self.least is not None and self._truth.containers:
            self.least = min(self.least, sum(map(serves, self._truth.containers.values())))


def serves(container) -> bool:
    status = container.status
    if not isinstance(status, Running) or container.drained_at or status.stopping:
        return False
    return container.healthcheck is None or status.health.status is HealthStatus.HEALTHY


class Life:
    """A stack of one service that is up as v1, then asked for v2. crashes: awaits at which the engine dies."""

    def __init__(self, update: Update, v2: Program, *, healthy: bool = True, seed: int = 0, **more) -> None:
        self.random = Random(seed)
        self.world = Versions({"v1": WELL, "v2": v2})
        self.how = {"replicas": 4, "healthy": healthy, "update": update, "restart": "always", **more}
        self.faults = Faults(random=self.random, visit=self._visit)
        self.visits = 0
        self.crashes: set[int] = set()
        self.scope: anyio.CancelScope | None = None
        self.engine: Engine | None = None
        self.desired = stack()
        self.failures = ()

    def definition(self, version: str):
        return stack(service("web", config_hash=version, **self.how), at=clock())

    def _visit(self, _point: str) -> None:
        self.visits += 1
        if self.visits in self.crashes and self.scope is not None:
            self.scope.cancel()

    async def _keep_an_engine_running(self) -> None:
        while True:
            with anyio.CancelScope() as self.scope:
                self.engine = Engine(FakeDriver(self.world, self.faults), self.desired, clock=clock)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(follow_updates, self.engine, self._end)
                    await self.engine.run()
            await anyio.lowlevel.checkpoint()

    async def _end(self, change, _failed) -> None:
        self._ask(change(self.desired))

    def _ask(self, desired) -> None:
        self.desired = desired
        assert self.engine is not None
        self.engine.set_desired(desired)

    async def up(self, version: str) -> None:
        assert self.engine is not None
        self._ask(with_earlier(self.definition(version), self.desired, self.engine.observed))

    async def done(self):
        """Wait for the outcome from whatever engine is alive."""
        with anyio.fail_after(PATIENCE):
            while True:
                engine = self.engine
                assert engine is not None
                with anyio.move_on_after(30.0):
                    failures = await wait_until_up(engine)
                    if engine is self.engine and not engine.plan.updated:
                        return failures
                await anyio.sleep(0.1)

    async def live(self) -> None:
        async with anyio.create_task_group() as tasks:
            self.desired = self.definition("v1")
            tasks.start_soon(self._keep_an_engine_running)
            while self.engine is None:
                await anyio.lowlevel.checkpoint()
            assert not await self.done()
            await anyio.sleep(60.0)
            self.world.least = self.world.serving()
            if self.crashes:
                self.crashes = {self.visits + crash for crash in self.crashes}
            await self.up("v2")
            self.failures = await self.done()
            await anyio.sleep(120.0)
            self.rest, self.serving = self.world.observed, self.world.serving()
            tasks.cancel_scope.cancel()

    def run(self) -> Life:
        run_in_virtual_time(self.live, self.random.random())
        return self

    @property
    def versions(self) -> list[tuple[str, str]]:
        return sorted((name, container.config_hash) for name, container in self.rest.containers.items())

    def count(self, what: str) -> int:
        return sum(entry.what == what and entry.spec is not None for entry in self.world.journal)


def replicas(version: str) -> list[tuple[str, str]]:
    return [(f"s-web-{index}", version) for index in range(1, 5)]


@pytest.mark.parametrize("healthy", [True, False])
@pytest.mark.parametrize("parallelism", [1, 2])
@pytest.mark.parametrize("order", list(Order))
def test_an_update_that_goes_well_keeps_enough_of_them_serving(order, parallelism, healthy):
    life = Life(Update(parallelism, order=order), WELL, healthy=healthy).run()
    assert life.versions == replicas("v2")
    assert life.failures == ()
    assert life.world.least == (4 if order is Order.START_FIRST else 4 - parallelism)
    stand_ins = parallelism if order is Order.START_FIRST else 0
    assert life.count("started") == 4 + 4 + stand_ins
    assert life.desired.earlier == ()


@pytest.mark.parametrize("seed", range(12))
def test_another_engine_carries_on_with_an_update(seed):
    chance = Random(seed)
    life = Life(Update(order=Order.START_FIRST), WELL, seed=seed)
    life.crashes = {chance.randint(1, 120) for _ in range(4)}
    life.run()
    assert life.versions == replicas("v2")
    assert life.world.least == 4
    assert life.count("created") == 4 + 4 + 1


@pytest.mark.parametrize("bad", [ENDS, NEVER_HEALTHY])
@pytest.mark.parametrize("order", list(Order))
def test_a_bad_version_is_rolled_back(order, bad):
    life = Life(Update(order=order, failure_action=FailureAction.ROLLBACK), bad).run()
    assert life.versions == replicas("v1")
    (failure,) = life.failures
    assert str(failure.resource) == "service/web"
    assert failure.error.startswith("the update was rolled back: container s-web-")
    assert life.desired.failing["web"].ending is Ending.ROLLED_BACK
    assert life.serving == 4
    assert life.world.least == (4 if order is Order.START_FIRST else 3)


@pytest.mark.parametrize("runs_for", [0.0, 4.9])
@pytest.mark.parametrize("order", list(Order))
def test_a_bad_version_is_gone_a_second_after_the_monitor_time_at_the_latest(order, runs_for):
    bad = Program((Run(exits_after=runs_for, exit_code=1, healthy_from=None),))
    update = Update(order=order, monitor=5.0, failure_action=FailureAction.ROLLBACK)
    life = Life(update, bad, healthy=False).run()
    assert life.versions == replicas("v1")
    journal = life.world.journal
    (began, *_) = (entry.at for entry in journal if entry.what == "started" and entry.spec.config_hash == "v2")
    last = max(entry.at for entry in journal if entry.what in ("created", "started", "exited", "removed"))
    assert began <= last <= began + update.monitor + 1.0


def test_a_bad_version_pauses_the_update():
    life = Life(Update(), ENDS).run()
    assert life.versions == [("s-web-1", "v2"), *replicas("v1")[1:]]
    assert [failure.error for failure in life.failures] == ["the update is paused: container s-web-1 exited (1)"]
    assert life.world.least == 3


def test_an_update_may_go_on_in_spite_of_failures():
    life = Life(Update(failure_action=FailureAction.CONTINUE, monitor=1.0), NEVER_HEALTHY).run()
    assert life.versions == replicas("v2")


def test_a_share_of_them_may_fail():
    life = Life(Update(max_failure_ratio=0.5, failure_action=FailureAction.ROLLBACK), NEVER_HEALTHY).run()
    assert life.versions == replicas("v1")
    made = {
        entry.name for entry in life.world.journal if entry.what == "created" and entry.spec and entry.at > EPOCH + 1
    }
    assert made == {"s-web-1", "s-web-2", "s-web-3"}


def test_a_way_back_that_fails_too_is_not_followed_by_another():
    life = Life(Update(failure_action=FailureAction.ROLLBACK), ENDS)
    life.world.versions["v1"] = replace(WELL, runs=(WELL.runs[0], *ENDS.runs))
    life.run()
    assert life.desired.failing["web"].ending in (Ending.ROLLED_BACK, Ending.PAUSED)
    assert life.count("created") <= 4 + 4 + 2
