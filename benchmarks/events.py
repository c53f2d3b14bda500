"""What one event costs, by the size of the stack: a container is killed, noticed, and started again.

    python -m benchmarks.events

The stacks are those of ``planner.py`` without their health checks: chains of seven, in memory, on a virtual clock. The
engine is the real one. The median of processor time is shown, from the kill until all is as it should be; and that of
one plan of everything.
"""

from __future__ import annotations

import time
from statistics import median

import anyio

from benchmarks.planner import SIZES, stack
from orchestra.driver.fake.driver import FakeDriver
from orchestra.driver.fake.world import World
from orchestra.engine.loop import Engine
from orchestra.engine.planner import Planner
from orchestra.model.container import Condition, Restart, RestartPolicy
from orchestra.model.desired import Request
from orchestra.plan.plan import plan
from orchestra.record import replace
from orchestra.testing.simulation.simulation import WallClock
from orchestra.testing.simulation.virtual_time import run_in_virtual_time

EVENTS = 40


class Measurement:
    """events: seconds for each; whole: for a plan of everything."""

    def __init__(self, size: int) -> None:
        self.clock = WallClock()
        desired = stack(size)
        containers = tuple(
            replace(
                spec,
                healthcheck=None,
                restart=Restart(RestartPolicy.ALWAYS),
                depends_on=tuple(replace(each, condition=Condition.STARTED) for each in spec.depends_on),
            )
            for spec in desired.containers
        )
        self.desired = replace(desired, containers=containers, request=Request(at=self.clock()))
        self.world = World("bench", self.clock)
        self.names = [spec.name for spec in containers][:: max(1, size // EVENTS)][:EVENTS]
        self.events: list[float] = []
        self.whole = 0.0

    async def run(self) -> None:
        engine = Engine(FakeDriver(self.world), self.desired, clock=self.clock)
        self.bring_up()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            await engine.wait(lambda _desired, _observed, plan: plan.converged)
            await anyio.sleep(20.0)  # so that the next restart follows a steady run
            for name in self.names:
                began = time.process_time()
                self.world.kill(name)
                await anyio.sleep(0.1)
                await engine.wait(lambda _desired, _observed, plan: plan.converged)
                self.events.append(time.process_time() - began)
            began = time.process_time()
            assert Planner(self.desired).plan(engine.observed, {}, (), self.clock()).converged
            self.whole = time.process_time() - began
            tasks.cancel_scope.cancel()

    def bring_up(self) -> None:
        """As an engine would, without its time."""
        for image in self.desired.images:
            self.world.make_image(image, "sha256:app")
        while ready := plan(self.desired, self.world.observed, {}, self.clock()).ready:
            for action in ready:
                if action.verb == "start":
                    self.world.start(action.name, 0, 0)
                elif action.verb == "create" and action.resource.kind == "container":
                    self.world.create(action.spec, action.image_digest)
                else:
                    self.world.apply(action)


def main() -> None:
    print("| containers | an event, ms | plan of everything, ms |")
    print("|---:|---:|---:|")
    for size in SIZES:
        measurement = Measurement(size)
        run_in_virtual_time(measurement.run)
        print(f"| {size:,} | {median(measurement.events) * 1e3:.2f} | {measurement.whole * 1e3:.1f} |", flush=True)


if __name__ == "__main__":
    main()
