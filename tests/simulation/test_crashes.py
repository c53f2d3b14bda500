"""The supervisor is killed at single steps of an ``up``, two changes and a ``down``; ORCHESTRA_STRIDE=1 takes all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import pytest

from orchestra.driver.fake.program import Program, Run, one_shot
from orchestra.driver.fake.world import World
from orchestra.model.container import Condition, Dependency, HealthcheckSpec, Restart, RestartPolicy
from orchestra.model.desired import Request
from orchestra.model.sharing import OfService, Own
from orchestra.model.update import Order, Update
from orchestra.plan.earlier import with_earlier
from orchestra.record import replace
from orchestra.testing.simulation.simulation import Simulation, WallClock
from orchestra.testing.simulation.virtual_time import run_in_virtual_time
from tests.plan.stacks import going_down
from tests.simulation.generate import STACK, Service, desired_of
from tests.simulation.schedule import normal_form

if TYPE_CHECKING:
    from orchestra.model.observed import Observed

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(300)]

ENOUGH = 45.0
"""Virtual seconds in which each command is carried out, with a crash on the way."""
STRIDE = int(os.environ.get("ORCHESTRA_STRIDE", "7"))
"""1: every step, which takes half a minute."""
PLAIN = {
    "rank": 0,
    "depends_on": (),
    "restart": Restart(RestartPolicy.ALWAYS),
    "healthcheck": None,
    "networks": (f"{STACK}_x",),
    "volumes": (),
    "network_mode": Own(),
    "image": "app",
    "replicas": 1,
}
BEFORE = [
    Service("db", **PLAIN | {"healthcheck": HealthcheckSpec(("true",), interval=120.0), "volumes": (f"{STACK}_data",)}),
    Service("job", **PLAIN | {"restart": Restart()}),
    Service(
        "web",
        **PLAIN
        | {
            "rank": 1,
            "replicas": 2,
            "update": Update(order=Order.START_FIRST, monitor=1.0),
            "depends_on": (Dependency("db", Condition.HEALTHY, restart=True), Dependency("job", Condition.COMPLETED)),
        },
        hooks=(1, 1),
        inits=1,
    ),
    Service(
        "aside",
        **PLAIN
        | {
            "rank": 1,
            "network_mode": OfService("db"),
            "depends_on": (Dependency("db", Condition.STARTED, restart=True),),
        },
    ),
]
BETWEEN = [replace(BEFORE[0], version=2), *BEFORE[1:]]
AFTER = [
    *BETWEEN[:2],
    replace(BEFORE[2], version=2, networks=(f"{STACK}_y",), endpoint=2, replicas=3),
    BEFORE[3],
]


class Life:
    """crash_at: after how many calls of the driver; 0 for never."""

    def __init__(self, crash_at: int) -> None:
        self.clock = WallClock()
        steady = Program((Run(stops_after=0.1),))
        programs = {"db": steady, "web": steady, "aside": steady, "job": one_shot(0.5)}
        self.world = World(STACK, self.clock, programs)
        self.simulation = Simulation(desired_of(BEFORE, Request(at=self.clock())), self.world, self.clock)
        self.simulation.crashes_at = {crash_at}

    async def live(self) -> Observed:
        simulation = self.simulation
        async with anyio.create_task_group() as tasks:
            simulation.start(tasks)
            await anyio.sleep(ENOUGH)
            for services in (BETWEEN, AFTER):
                after = desired_of(services, Request(at=self.clock(), remove_orphans=True))
                simulation.ask(with_earlier(after, simulation.desired, simulation.running.observed))
                await anyio.sleep(ENOUGH)
            rest = self.world.observed
            simulation.ask(going_down(simulation.desired, at=self.clock()))
            await anyio.sleep(ENOUGH)
            await simulation.end_troubles()
            await simulation.come_to_rest()
            simulation.check_rest()
            assert not self.world.observed.containers
            assert not self.world.observed.networks
            tasks.cancel_scope.cancel()
        return rest

    def run(self) -> Observed:
        return run_in_virtual_time(self.live)


def test_whenever_the_supervisor_is_killed_the_next_one_carries_on():
    calm = Life(0)
    rest = normal_form(calm.run())
    assert {name for name in rest if "-web-" in name} >= {f"{STACK}-web-{number}" for number in (1, 2, 3)}
    assert calm.simulation.calls > 150
    for crash_at in range(1, calm.simulation.calls + 1, STRIDE):
        try:
            assert normal_form(Life(crash_at).run()) == rest
        except BaseException as error:
            error.add_note(f"killed at call {crash_at}")
            raise
