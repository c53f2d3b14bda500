"""One simulated life of a random stack: commands, troubles, then peace; everything follows from the seed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import anyio

from orchestra.model.container import Condition
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Exited, Network, Running, Volume
from orchestra.model.resource import ResourceId
from orchestra.model.sharing import OfService
from orchestra.plan.done import is_down
from orchestra.plan.replace import is_outlived
from orchestra.testing.simulation.simulation import Simulation, WallClock
from orchestra.testing.simulation.troubles import PEACE, draw_troubles
from orchestra.testing.simulation.virtual_time import run_in_virtual_time
from tests.simulation.generate import (
    EXTERNAL_NETWORK,
    EXTERNAL_VOLUME,
    MOMENTS,
    STACK,
    Commands,
    Versions,
    generate_services,
)

if TYPE_CHECKING:
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed

ROUNDS = 60_000
"""Of the event loop; a life takes one or two thousand, and seldom ten."""


class Schedule:
    """well_behaved: programs do as they should, whatever happens to the engine. calm: nothing happens to it either."""

    def __init__(self, seed: int, *, well_behaved: bool = False, calm: bool = False) -> None:
        self.random = Random(seed)
        self.well_behaved = well_behaved
        services, programs = generate_services(self.random, well_behaved=well_behaved)
        self.commands = Commands(self.random, services, Random(f"some replicas {seed}"))
        clock = WallClock()
        self.world = Versions(STACK, clock, programs, pull_seconds={"app": self.random.choice([0.0, 3.0])})
        self.world.add_external([Network(EXTERNAL_NETWORK)], [Volume(EXTERNAL_VOLUME)])
        self.world.contents[EXTERNAL_VOLUME] = ["precious"]
        if not well_behaved:
            versions = {f"{service.name} v{number}" for service in services for number in range(2, 6)}
            self.world.bad = frozenset(name for name in sorted(versions) if self.random.random() < 0.4)
            calls = ["check", "create", "start"]
            self.world.refused = {
                name: self.random.choice(calls) for name in sorted(versions) if self.random.random() < 0.15
            }
        chance = Random(f"what goes wrong in {seed}")
        troubles = PEACE if calm else draw_troubles(chance, drift=not well_behaved, illness=True)
        self.simulation = Simulation(self.commands.up(clock()), self.world, clock, troubles, seed)
        self.simulation.changed = self._note
        self.clock = clock

    @property
    def desired(self) -> Desired:
        return self.simulation.desired

    def _note(self, desired: Desired) -> None:
        self.commands.current = desired

    async def live(self) -> None:
        """Some commands in bad times, then a last one in good times; checks where that leads."""
        simulation = self.simulation
        async with anyio.create_task_group() as tasks:
            simulation.start(tasks)
            for _ in range(self.random.randint(1, 4)):
                await anyio.sleep(self.random.choice([0.0, 0.5, 5.0, 20.0, 60.0]))
                simulation.ask(self.commands.next(self.clock(), self._view()))
            if self.random.random() < 0.3:
                await self._think_again()
            await anyio.sleep(self.random.choice([0.0, 1.0, 50.0]))
            if self.random.random() < 0.5 and not self.well_behaved:
                self._take_one_that_takes_others_along()
            simulation.ask(self.commands.up(self.clock(), self._view()))
            await anyio.sleep(self.random.choice([0.0, 0.5, 5.0]))
            await simulation.end_troubles()
            await simulation.come_to_rest()
            self.check_rest()
            self.check_up()
            self.rest = self.world.observed
            simulation.ask(self.commands.down(self.clock()))
            await simulation.come_to_rest()
            self.check_rest()
            self.check_down()
            tasks.cancel_scope.cancel()

    async def _think_again(self) -> None:
        """Two commands, the second in the middle of what the first does to a stack that is up."""
        await anyio.sleep(50.0)
        self.simulation.ask(self.commands.change_updated(self.clock(), self._view()))
        await self.world.wait_for(self.random.choice(MOMENTS), 20.0)
        self.simulation.ask(self.commands.think_again(self.clock(), self._view()))

    def _take_one_that_takes_others_along(self) -> None:
        """Another program removes a container with which others are restarted."""
        services = self.commands.services
        owners = {need.service for service in services for need in service.depends_on if need.restart}
        if owners:
            name = f"{STACK}-{self.random.choice(sorted(owners))}-1"
            if name in self.world.observed.containers:
                self.world.take(name)

    def _view(self) -> Observed:
        """What the engine knows, or what is true if there is none yet."""
        engine = self.simulation.engine
        return engine.observed if engine is not None else self.world.observed

    def check_rest(self) -> None:
        self.simulation.check_rest()
        self.check_definitions()
        for name, contents in self.world.contents.items():
            assert name in self.world.observed.volumes, f"the contents of {name} outlived it"
            assert name != EXTERNAL_VOLUME or contents[0] == "precious"

    def check_definitions(self) -> None:
        """Every container is what the last command asked for, unless that has failed, which the plan tells."""
        plan = self.simulation.running.plan
        for spec in self.desired.of_services:
            container = self.world.observed.containers.get(spec.name)
            if container is None or self.desired.wish_of(spec).rests:
                continue
            has_failed = spec.service in self.desired.failing or ResourceId.container(spec.name) in plan.hopeless
            assert has_failed or container.config_hash == spec.config_hash, f"{spec.name} is not what was asked for"
            assert has_failed or not container.drained_at, f"{spec.name} has given up its names"
            assert has_failed or not container.stand_in, f"{spec.name} stands in for itself"
            wanted = {endpoint.network: endpoint.config_hash for endpoint in spec.endpoints}
            assert has_failed or container.endpoints == wanted, f"{spec.name} is not on its networks"
        lost = {spec.service for spec in self.desired.of_services if ResourceId.container(spec.name) in plan.hopeless}
        for earlier in self.desired.earlier:
            service = earlier.spec.service
            goes_on = service in self.desired.failing or service in lost or self.desired.wish(service).rests
            assert goes_on or earlier.spec.update is None, f"the update of {service} has not ended"
        for network in self.desired.networks:
            seen = self.world.observed.networks.get(network.name)
            if seen is not None and ResourceId.network(network.name) not in plan.hopeless:
                is_asked_for = network.external or seen.config_hash == network.config_hash
                assert is_asked_for, f"{network.name} is not what was asked for"
                assert not seen.loss, f"{network.name} was not repaired"

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
        if not self.simulation.troubles.clock_jumps:
            self.check_ages()

    def check_ages(self) -> None:
        """What goes with another container that runs is not older than that one, even if that was made anew.

        A replica that a paused update has left alone stays, or one whose new definition cannot be: once stopped, it
        would come back as what has failed. So does what could not start again, since the other one has failed, or is
        not healthy.
        """
        containers, hopeless = self.world.observed.containers, self.simulation.running.plan.hopeless
        for spec in self.desired.of_services:
            container = containers.get(spec.name)
            if container is None or not isinstance(container.status, Running):
                continue
            for dependency in spec.depends_on:
                first = containers.get(f"{STACK}-{dependency.service}-1")
                if first is None or not isinstance(first.status, Running):
                    continue
                is_ill = first.status.health.status is HealthStatus.UNHEALTHY
                has_failed = ResourceId.container(first.name) in hopeless
                if has_failed or (is_ill and dependency.condition is Condition.HEALTHY):
                    continue
                held = spec.service in self.desired.failing or ResourceId.container(spec.name) in hopeless
                held = held and container.config_hash != spec.config_hash
                if dependency.restart and dependency.service not in self.desired.failing and not held:
                    known = container.runs_with.get(first.name)
                    assert known == first.id, f"{spec.name} did not go with {first.name}"
                if spec.network_mode == OfService(dependency.service):
                    assert not is_outlived(first, container), f"{spec.name} shares what {first.name} was"

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

    What ran once and has ended is left out: whether a command was an orphan when orphans were removed depends on when,
    and so does whether an init container was, of a service that was scaled to nothing and back.
    """
    return {
        name: (container.config_hash, container.image_digest, _status(container.status))
        for name, container in sorted(observed.containers.items())
        if not (container.one_off and isinstance(container.status, Exited))
    }


def _status(status) -> str:
    if isinstance(status, Running):
        return f"running {status.health.status}"
    return f"exited {status.exit_code}" if isinstance(status, Exited) else "created"


def run(schedule: Schedule, seed: int) -> Schedule:
    run_in_virtual_time(schedule.live, seed, rounds=ROUNDS)
    return schedule
