"""A simulated stack, and what the steps of a scenario do to it and expect of it."""

from __future__ import annotations

from signal import Signals
from typing import TYPE_CHECKING

import anyio

from orchestra.engine.outcome import wait_until_up
from orchestra.errors import OrchestraError, UserError
from orchestra.model.health import NOT_PROBED
from orchestra.model.names import ServiceName
from orchestra.model.observed import Created, Exited, Running
from orchestra.model.request import Changes
from orchestra.plan.desire import desire, leave, restart, start, stop
from orchestra.plan.earlier import with_earlier
from orchestra.plan.restart import next_run
from orchestra.testing.actions import check_failure
from orchestra.testing.checks import NotSo, differences
from orchestra.testing.scenario import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestra.model.desired import Desired
    from orchestra.model.observed import Container
    from orchestra.testing.scenario import Kill, Step
    from orchestra.testing.simulation.simulation import Simulation

PATIENCE = 600.0
"""Virtual seconds that an expectation has, unless the step says otherwise: slow calls take up to a minute."""
PAUSE = 0.5
"""Virtual seconds between two looks."""


class Row:
    """A container as expectations see it."""

    def __init__(self, container: Container, *, restarts: bool) -> None:
        status = container.status
        self.name, self.service = container.name, container.service
        self.runs = isinstance(status, Running)
        self.exit_code = status.exit_code if isinstance(status, Exited) else 0
        self.health = status.health if isinstance(status, Running) else NOT_PROBED
        self.state = "created" if isinstance(status, Created) else "running" if self.runs else "exited"
        if restarts:
            self.state = "restarting"


class SimulatedStack:
    """make: the desired state of the files with these services besides those of the scenario, and so many containers of
    some services. timeout: virtual seconds in which all has to be up.
    """

    def __init__(
        self,
        simulation: Simulation,
        make: Callable[[tuple[ServiceName, ...], Mapping[str, int]], Desired],
        timeout: float,
    ) -> None:
        self.simulation = simulation
        self._make = make
        self._scale: dict[str, int] = {}
        self._timeout = max(timeout, PATIENCE)

    def rows(self) -> list[Row]:
        simulation = self.simulation
        containers = [each for _, each in sorted(simulation.world.observed.containers.items()) if not each.one_off]
        return [Row(each, restarts=self._restarts(each)) for each in containers]

    def _restarts(self, container: Container) -> bool:
        desired, status = self.simulation.desired, container.status
        spec = desired.container(container.name)
        if spec is None or desired.wish(spec.service).rests or not isinstance(status, Exited) or status.stopped:
            return False
        return next_run(spec.restart, container, status) is not None

    async def do(self, step: Step) -> None:
        """Raises NotSo, and OrchestraError."""
        simulation, now = self.simulation, self.simulation.clock()
        if step.expect is not None:
            await self._expect(step)
        elif step.up is not None:
            await self._up(self._services(step.up.services), step)
        elif step.start is not None:
            self._ask(start(simulation.desired, _with_needs(simulation.desired, self._services(step.start)), now))
            await self.wait(self._services(step.start))
        elif step.stop is not None:
            self._ask(stop(simulation.desired, self._services(step.stop), None, now))
            services = self._services(step.stop)
            await self._until(lambda: not self._running(services), f"{' '.join(services)} did not stop")
        elif step.restart is not None:
            self._ask(restart(simulation.desired, self._services(step.restart), None, now))
            await self.wait(self._services(step.restart))
        elif step.scale is not None:
            self._scale.update(step.scale)
            await self._up(self._services(tuple(step.scale)), step)
        elif step.kill is not None:
            self._kill(step.kill)
        elif step.crash is not None:
            for name in self._running(self._services(step.crash)):
                simulation.world.kill(name)
        else:
            names = step.sicken or step.cure or ()
            for service in self._services(names):
                simulation.world.set_illness(service, ill=step.sicken is not None)

    def _services(self, names: Sequence[str]) -> tuple[ServiceName, ...]:
        return self.simulation.desired.services if ALL in names else tuple(map(ServiceName, names))

    def _running(self, services: Sequence[str]) -> list[str]:
        containers = self.simulation.world.observed.containers.values()
        return sorted(each.name for each in containers if each.service in services and isinstance(each.status, Running))

    def _ask(self, desired: Desired) -> None:
        self.simulation.ask(desired)

    async def _up(self, services: tuple[ServiceName, ...], step: Step) -> None:
        simulation = self.simulation
        before = simulation.desired
        new = self._make(services, self._scale)
        every = set(services) >= set(new.services)
        wanted = _with_needs(new, services)
        changes = Changes() if every else Changes(services=wanted, named=services, scaled=tuple(step.scale or ()))
        asked = desire(before, new, changes, simulation.clock())
        self._ask(with_earlier(asked, before, simulation.running.observed))
        try:
            await self.wait(services)
        except OrchestraError as error:
            if step.up is None:
                raise
            check_failure(step.up, error)
        else:
            if step.up is not None:
                check_failure(step.up, None)

    async def wait(self, services: tuple[str, ...]) -> None:
        """Until these are up, whichever engine is alive. Raises UserError if they cannot be, or not in time."""
        with anyio.move_on_after(self._timeout) as limit:
            while True:
                engine = self.simulation.running
                with anyio.move_on_after(10.0):
                    failures = await wait_until_up(engine, wait=True, services=services)
                    if engine is self.simulation.running:
                        break
                await anyio.sleep(PAUSE)
        if limit.cancelled_caught:
            raise UserError(f"not up within {self._timeout:g} s")
        if failures:
            raise UserError("; ".join(f"{failure.resource}: {failure.error}" for failure in failures))

    async def _until(self, holds: Callable[[], bool], otherwise: str) -> None:
        deadline = anyio.current_time() + self._timeout
        while not holds():
            await anyio.sleep(PAUSE)
            if anyio.current_time() > deadline:
                raise NotSo(otherwise)

    def _kill(self, kill: Kill) -> None:
        simulation = self.simulation
        if kill.part is not None:
            simulation.crash()
            return
        name = kill.signal.upper()
        signal = Signals[name if name.startswith("SIG") else f"SIG{name}"]
        self._ask(leave(simulation.desired, self._services((kill.service,)), simulation.clock()))
        for container in self._running((kill.service,)):
            simulation.world.deliver(container, signal)

    async def _expect(self, step: Step) -> None:
        deadline = anyio.current_time() + (PATIENCE if step.within is None else step.within.seconds)
        while reason := self._find_difference(step):
            await anyio.sleep(PAUSE)
            if anyio.current_time() > deadline:
                raise NotSo(reason)
        if step.during is None:
            return
        began = anyio.current_time()
        while anyio.current_time() < began + step.during.seconds:
            await anyio.sleep(PAUSE)
            if reason := self._find_difference(step):
                raise NotSo(f"{reason}, after {anyio.current_time() - began:.1f} s")

    def _find_difference(self, step: Step) -> str:
        assert step.expect is not None
        return "; ".join(differences(self.rows(), step.expect))


def _with_needs(desired: Desired, services: Sequence[ServiceName]) -> tuple[ServiceName, ...]:
    needs: dict[ServiceName, set[ServiceName]] = {}
    for spec in desired.of_services:
        needs.setdefault(spec.service, set()).update(dependency.service for dependency in spec.depends_on)
    return tuple(dict.fromkeys(_closure(services, needs)))


def _closure(services: Sequence[ServiceName], needs: Mapping[ServiceName, set[ServiceName]]) -> Iterator[ServiceName]:
    left, seen = list(services), set[ServiceName]()
    while left:
        service = left.pop()
        if service not in seen:
            seen.add(service)
            left += sorted(needs.get(service, ()))
            yield service
