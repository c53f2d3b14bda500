"""What `up` returns, reports and leaves does not depend on the order of events: the same stack in many orders."""

from __future__ import annotations

import os
from functools import partial
from random import Random
from typing import NamedTuple

import anyio
import pytest

from orchestra.driver.fake.driver import FakeDriver
from orchestra.driver.fake.faults import Faults
from orchestra.driver.fake.program import Program, Run
from orchestra.driver.fake.world import World
from orchestra.engine.loop import Engine
from orchestra.engine.outcome import standing_of_up, wait_until_down, wait_until_up
from orchestra.errors import FatalError
from orchestra.model.container import HealthcheckSpec
from orchestra.model.observed import Exited, Running
from orchestra.testing.simulation.virtual_time import run_in_virtual_time
from tests.plan.stacks import asked, going_down, service, stack

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(300)]

EPOCH = 1_000_000.0
ORDERS = 6
LATENCY = 0.03
"""The longest that a call takes. Programs change at moments that lie further apart than all calls together take."""
PATIENCE = 2000.0
CHUNK = 25
ALONE = os.environ.get("ORCHESTRA_SEED")

RUNS = {
    "runs": Run(),
    "healthy at once": Run(),
    "healthy later": Run(healthy_from=1.0),
    "never healthy": Run(healthy_from=None),
    "exits 0 at once": Run(exits_after=0.0),
    "exits 0 later": Run(exits_after=70.0),
    "exits 7 at once": Run(exits_after=0.0, exit_code=7, healthy_from=None),
    "exits 7 later": Run(exits_after=300.0, exit_code=7),
}
FAILURES = ("cannot be started", "cannot be created", "no image")
"""What a service may come to instead, without ever running."""


class Outcome(NamedTuple):
    """timed_out: nothing was decided; failures: resource and error; left: container to its state."""

    timed_out: bool
    failures: tuple[tuple[str, str], ...]
    left: dict[str, str]


class BrokenDriver(FakeDriver):
    """Containers that cannot be created or started, for good."""

    def __init__(self, world: World, faults: Faults, kinds: dict[str, str]) -> None:
        super().__init__(world, faults)
        self.kinds = kinds

    async def _point(self, method, name, *, failing=True):
        """Probes fail only where their program does: health is no matter of the order of events."""
        await super()._point(method, name, failing=failing and method != "probe")

    async def create(self, spec, image_digest):
        if self.kinds[spec.service] == "cannot be created":
            await anyio.sleep(self.faults.pause())
            raise FatalError(f"container {spec.name}: no such user")
        await super().create(spec, image_digest)

    async def start(self, name, **options):
        if self.kinds[name.split("-")[1]] == "cannot be started":
            await anyio.sleep(self.faults.pause())
            raise FatalError(f"container {name}: no such program")
        await super().start(name, **options)


class Case:
    """A stack, how its programs behave, and how it is brought up: all of it from one seed."""

    def __init__(self, seed: int) -> None:
        random = Random(seed)
        self.wait = random.random() < 0.6
        self.kinds: dict[str, str] = {}
        made = []
        for number in range(random.randint(1, 7)):
            name = "abcdefg"[number]
            kind = random.choice([*RUNS, *RUNS, *FAILURES])
            restart = random.choice(["no", "no", "always", "on-failure:1"])
            if kind == "exits 7 at once" and restart == "always":
                restart = "no" if random.random() < 0.7 else restart
            needs = " ".join(
                f"{earlier}{self._condition(random, earlier)}{random.choice(['', '', '', '?'])}"
                for earlier in self.kinds
                if random.random() < 0.3
            )
            healthy = kind in ("healthy at once", "healthy later", "never healthy")
            check = HealthcheckSpec(("true",), interval=10.0, retries=1) if healthy else False
            image = "missing" if kind == "no image" else "app"
            self.kinds[name] = kind
            made.append(service(name, needs, restart=restart, healthy=check, image=image))
        self.desired = stack(*made, at=EPOCH)
        self.services = frozenset(random.sample(sorted(self.kinds), 1)) if random.random() < 0.2 else frozenset()
        if self.services:
            self.services |= {d.service for s in self.desired.containers for d in s.depends_on}

    def _condition(self, random: Random, earlier: str) -> str:
        kind = self.kinds[earlier]
        if "healthy" in kind:
            return random.choice(["", ":healthy", ":healthy"])
        return random.choice(["", ":completed"]) if "exits" in kind else ""

    def run(self, order: int) -> Outcome:
        """The order decides over all chance."""
        return run_in_virtual_time(partial(self._live, order), order)

    async def _live(self, order: int) -> Outcome:
        def clock() -> float:
            return EPOCH + anyio.current_time()

        programs = {name: Program((RUNS.get(kind, Run()),)) for name, kind in self.kinds.items()}
        world = World("s", clock, programs, available={"app": "sha256:app"})
        faults = Faults(random=Random(order), latency=LATENCY, repeated_share=0.3)
        if not self.wait:
            faults.error_share, faults.late_share = 0.05, 0.5
        engine = Engine(BrokenDriver(world, faults, self.kinds), self.desired, clock=clock)
        failures = ()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            with anyio.move_on_after(PATIENCE) as limit:
                failures = await wait_until_up(engine, wait=self.wait, services=self.services)
            if limit.cancelled_caught:
                failures = standing_of_up(engine, wait=self.wait, services=self.services).failures
            chosen = {s.name for s in self.desired.containers if not self.services or s.service in self.services}
            left = {name: self.describe(c) for name, c in sorted(world.observed.containers.items()) if name in chosen}
            again = asked(self.desired, clock())
            engine.set_desired(again)
            await engine.wait(lambda desired, *_: desired is again)
            engine.set_desired(going_down(self.desired, at=clock()))
            assert await wait_until_down(engine) == ()
            assert not world.observed.containers
            assert not world.observed.networks
            tasks.cancel_scope.cancel()
        told = tuple(sorted((failure.resource, failure.error) for failure in failures))
        return Outcome(limit.cancelled_caught, told, left)

    def describe(self, container) -> str:
        """Of what ends by itself only that it ran: it does so while `up` looks, and may be run again."""
        status = container.status
        kind = self.kinds[container.service]
        if isinstance(status, (Running, Exited)) and kind.startswith("exits"):
            return "ran"
        if isinstance(status, Running):
            return "running"
        return f"exited {status.exit_code}" if isinstance(status, Exited) else "created"


def seeds(first: int) -> range:
    return range(int(ALONE), int(ALONE) + 1) if ALONE else range(first, first + CHUNK)


@pytest.mark.parametrize("first", range(0, 1 if ALONE else 125, CHUNK))
def test_the_outcome_of_up_does_not_depend_on_the_order_of_events(first):
    for seed in seeds(first):
        case = Case(seed)
        outcomes = [case.run(order) for order in range(ORDERS)]
        for order, outcome in enumerate(outcomes):
            assert outcome == outcomes[0], f"seed {seed}, order {order}: {case.kinds}, wait {case.wait}"
