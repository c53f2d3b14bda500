"""One simulated life of a stack: commands, crashes, faults, then peace; everything follows from the seed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import anyio
import trio
import trio.testing

from orchestra.driver.fake.faults import Faults
from orchestra.driver.fake.world import World
from orchestra.engine.loop import RESYNC, Engine
from orchestra.model.observed import Exited, Network, Running, Volume
from orchestra.plan.done import is_down
from orchestra.plan.one_offs import after_runs
from orchestra.plan.plan import plan
from tests.simulation.checked import CheckedDriver
from tests.simulation.generate import EXTERNAL_NETWORK, EXTERNAL_VOLUME, STACK, Commands, generate_services

if TYPE_CHECKING:
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed

EPOCH = 1_000_000.0
LOOKING = 5.0
"""Virtual seconds in which every look at a container has ended."""
PATIENCE = 4 * 3600.0
"""Virtual seconds in which every world must come to rest."""


def clock() -> float:
    return EPOCH + trio.current_time()


class Schedule:
    """well_behaved: programs do as they should, whatever happens to the engine. calm: nothing happens to it either."""

    def __init__(self, seed: int, *, well_behaved: bool = False, calm: bool = False) -> None:
        self.random = Random(seed)
        self.well_behaved = well_behaved
        chance = Random(f"what goes wrong in {seed}")
        services, programs = generate_services(self.random, well_behaved=well_behaved)
        self.commands = Commands(self.random, services)
        self.world = World(STACK, clock, programs, pull_seconds={"app": self.random.choice([0.0, 3.0])})
        self.world.add_external([Network(EXTERNAL_NETWORK)], [Volume(EXTERNAL_VOLUME)])
        self.world.contents[EXTERNAL_VOLUME] = ["precious"]
        self.faults = (
            Faults(visit=self._visit)
            if calm
            else Faults(
                random=chance,
                error_share=chance.random() * 0.1,
                latency=chance.choice([0.0, 0.1, 1.0]),
                lost_share=chance.random() * 0.3,
                repeated_share=chance.random() * 0.3,
                late_share=chance.random() * 0.5,
                visit=self._visit,
            )
        )
        self.visits = 0
        self.crashes = set() if calm else {chance.randint(1, 200) for _ in range(chance.randint(0, 5))}
        self.scope: anyio.CancelScope | None = None
        self.engine: Engine | None = None
        self.desired: Desired = self.commands.up(EPOCH)

    def _visit(self, _point: str) -> None:
        self.visits += 1
        if self.visits in self.crashes and self.scope is not None:
            self.scope.cancel()

    async def live(self) -> None:
        """Some commands in bad times, then a last one in good times; checks where that leads."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_an_engine_running)
            for _ in range(self.random.randint(1, 5)):
                await anyio.sleep(self.random.choice([0.0, 0.05, 1.0, 5.0, 100.0]))
                self._ask(self.commands.next(clock()))
            await anyio.sleep(self.random.choice([0.0, 1.0, 50.0]))
            self._ask(self.commands.up(clock()))
            await anyio.sleep(self.random.choice([0.0, 0.5, 5.0]))
            await self._end_bad_times()
            await self._come_to_rest()
            self.check_rest()
            self.check_up()
            self.rest = self.world.observed
            self._ask(self.commands.down(clock()))
            await self._come_to_rest()
            self.check_rest()
            self.check_down()
            tasks.cancel_scope.cancel()

    def _ask(self, desired: Desired) -> None:
        self.desired = desired
        if self.engine is not None:
            self.engine.set_desired(desired)

    async def _keep_an_engine_running(self) -> None:
        while True:
            self.scope = anyio.CancelScope()
            with self.scope:
                driver = CheckedDriver(self.world, self.faults)
                self.engine = driver.engine = Engine(driver, self.desired, clock=clock)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._keep_books, self.engine)
                    await self.engine.run()
            await anyio.lowlevel.checkpoint()

    async def _keep_books(self, engine: Engine) -> None:
        """As a supervisor does for one-off commands."""
        while True:
            await engine.wait(lambda desired, observed, _plan: after_runs(desired, observed) is not desired)
            self._ask(after_runs(self.desired, engine.observed))
            self.commands.current = self.desired

    async def _end_bad_times(self) -> None:
        self.crashes = set()
        self.faults.error_share = self.faults.lost_share = self.faults.late_share = 0.0
        await anyio.sleep(1.0)  # a crashed engine has its successor by then

    async def _come_to_rest(self) -> None:
        """Until nothing is left to do, even after a look that no lost event can have spoiled."""
        assert self.engine is not None
        with anyio.move_on_after(PATIENCE) as patience:
            await self.engine.wait(lambda _desired, _observed, plan: plan.converged)
            await anyio.sleep(RESYNC + 5.0)
            await self.engine.wait(lambda _desired, _observed, plan: plan.converged)
            while any(entry.what == "exited" and clock() - entry.at < LOOKING for entry in self.world.journal):
                # A program has just ended by itself, and the look at it may still be under way.
                await anyio.sleep(LOOKING)
                await self.engine.wait(lambda _desired, _observed, plan: plan.converged)
        assert not patience.cancelled_caught, f"never came to rest: {self.engine.plan}"

    def check_rest(self) -> None:
        """The engine knows the world as it is, and another plan has nothing to do."""
        assert self.engine is not None
        view = self.engine.observed
        truth = self.world.view(self.desired)
        assert view.containers == truth.containers
        assert view.networks == truth.networks
        assert view.volumes == truth.volumes
        assert plan(self.desired, view, {}, clock()).ready == ()
        for name, contents in self.world.contents.items():
            assert name in self.world.observed.volumes, f"the contents of {name} outlived it"
            assert name != EXTERNAL_VOLUME or contents[0] == "precious"

    def check_up(self) -> None:
        """Where programs behave, everything that does not end by itself runs; commands have begun once."""
        begun = [entry.name for entry in self.world.journal if entry.what == "started" and "-run-" in entry.name]
        assert len(begun) == len(set(begun)), "a command was run twice"
        if self.well_behaved:
            for spec in self.desired.containers:
                if self.world.programs[spec.service].runs[-1].exits_after is None:
                    container = self.world.observed.containers[spec.name]
                    assert isinstance(container.status, Running), spec.name
                    assert not container.hooks_left, spec.name

    def check_down(self) -> None:
        assert is_down(self.desired, self.world.view(self.desired))
        observed = self.world.observed
        assert not observed.containers
        assert set(observed.networks) == {EXTERNAL_NETWORK}
        assert EXTERNAL_VOLUME in observed.volumes
        if self.desired.request.remove_volumes:
            assert set(observed.volumes) == {EXTERNAL_VOLUME}
        else:
            made = {
                entry.name
                for entry in self.world.journal
                if entry.what == "created" and entry.name.startswith("volume/")
            }
            removed = {entry.name for entry in self.world.journal if entry.what == "removed"}
            assert {f"volume/{name}" for name in observed.volumes} >= made - removed


def normal_form(observed: Observed) -> dict[str, tuple[str, str, str]]:
    """What two runs must agree on: which containers there are, what they are made of, and how they are.

    A one-off command that has ended is left out: whether it was an orphan when orphans were removed depends on when.
    """
    return {
        name: (container.config_hash, container.image_digest, _status(container.status))
        for name, container in sorted(observed.containers.items())
        if container.initializes or not (container.one_off and isinstance(container.status, Exited))
    }


def _status(status) -> str:
    if isinstance(status, Running):
        return f"running {status.health.status}"
    return f"exited {status.exit_code}" if isinstance(status, Exited) else "created"


def run(schedule: Schedule, seed: int) -> Schedule:
    """Run it in virtual time. Trio deals its tasks out in random order on purpose; here the seed decides."""
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True
    trio._core._run._r.seed(seed)
    anyio.run(schedule.live, backend="trio", backend_options={"clock": trio.testing.MockClock(autojump_threshold=0)})
    return schedule
