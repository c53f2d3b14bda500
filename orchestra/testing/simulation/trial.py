"""Running a scenario on a virtual clock, in troubles that follow from a seed."""

from __future__ import annotations

import os
import shlex
import time
from functools import partial
from typing import TYPE_CHECKING

import anyio

from orchestra.compose.loading import load
from orchestra.compose.request import LoadRequest
from orchestra.driver.fake.program import Program, Run, one_shot
from orchestra.driver.fake.world import World
from orchestra.errors import OrchestraError
from orchestra.model.container import Condition
from orchestra.model.desired import Desired, Request
from orchestra.model.request import Changes
from orchestra.plan.desire import desire
from orchestra.testing.checks import NotSo
from orchestra.testing.result import Outcome, Result
from orchestra.testing.simulation.simulation import Simulation, WallClock
from orchestra.testing.simulation.stack import SimulatedStack
from orchestra.testing.simulation.troubles import PEACE, Troubles, draw_troubles
from orchestra.testing.simulation.virtual_time import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.testing.scenario import Behaviour, Scenario, Step
    from orchestra.testing.scenario_file import ScenarioFile

SIMULATED = ("up", "start", "stop", "restart", "kill", "crash", "scale", "sicken", "cure", "expect")
"""Steps that need no real containers."""


def lacking(scenario: Scenario) -> str:
    """The first step that only containers can take; empty if there is none."""
    for step in scenario.steps:
        if step.names[0] not in SIMULATED or (step.expect is not None and step.expect.log):
            return str(step)
    return ""


def simulate_scenario(
    file: ScenarioFile, name: str, seed: int, environment: Mapping[str, str], loaded: dict[str, Desired]
) -> Result:
    """seed: 0 for a life without troubles, unless the scenario names some. loaded: what was read of the files, for
    other seeds of the same scenario.
    """
    scenario = file.scenarios[name]
    if step := lacking(scenario):
        return Result(file.path, name, Outcome.SKIPPED, reason=f"{step}: only on containers")
    began = time.monotonic()
    trial = _Trial(file, scenario, seed, environment, loaded)
    reason = trial.run()
    outcome = Outcome.FAILED if reason else Outcome.PASSED
    again = shlex.join(["orchestra", "test", "--replay", str(seed), "-k", name, file.path]) if reason else ""
    return Result(file.path, name, outcome, time.monotonic() - began, tuple(trial.steps), reason, again=again)


class _Trial:
    def __init__(
        self,
        file: ScenarioFile,
        scenario: Scenario,
        seed: int,
        environment: Mapping[str, str],
        loaded: dict[str, Desired],
    ) -> None:
        self.steps: list[str] = []
        self._file = file
        self._scenario = scenario
        self._seed = seed
        self._environment = environment
        self._loaded = loaded

    def run(self) -> str:
        """Why it failed; empty if it has not."""
        try:
            run_in_virtual_time(self._live, self._seed)
        except BaseExceptionGroup as group:
            return _in_words(group)
        except (NotSo, OrchestraError, AssertionError) as error:
            return _said(error)
        return ""

    async def _live(self) -> None:
        scenario = self._scenario
        clock = WallClock()
        desired = self._desired((), scenario.scale)
        world = World(desired.stack, clock, _programs(scenario, desired))
        empty = Desired(desired.stack, services=desired.services, request=Request(at=clock()))
        simulation = Simulation(empty, world, clock, _troubles(scenario, self._seed), self._seed)
        stack = SimulatedStack(simulation, self._desired, scenario.timeout.seconds)
        async with anyio.create_task_group() as tasks:
            simulation.start(tasks)
            await simulation.begun.wait()
            simulation.ask(desire(None, desired, Changes(), clock()))
            await stack.wait(desired.services)
            for step in scenario.steps:
                await self._do(stack, step)
            await simulation.end_troubles()
            await simulation.come_to_rest()
            simulation.check_rest()
            request = Request(at=clock(), remove_orphans=True, remove_volumes=True)
            simulation.ask(Desired(desired.stack, services=desired.services, request=request))
            await simulation.come_to_rest()
            simulation.check_rest()
            assert not world.observed.containers, f"down leaves {', '.join(world.observed.containers)}"
            tasks.cancel_scope.cancel()

    async def _do(self, stack: SimulatedStack, step: Step) -> None:
        self.steps.append(str(step))
        await stack.do(step)

    def _desired(self, services: tuple[str, ...], scale: Mapping[str, int]) -> Desired:
        """Reading files takes far longer than a life, so it is done once for the same."""
        scenario = self._scenario
        scale = {**scenario.scale, **scale}
        selected = tuple(sorted({*scenario.services, *services})) if scenario.services else ()
        key = f"{selected} {sorted(scale.items())}"
        if key not in self._loaded:
            variables = {name: value for name, value in scenario.variables.items() if value is not None}
            request = LoadRequest(
                environment={**self._environment, **variables},
                working_directory=os.getcwd(),
                files=self._file.stack,
                profiles=scenario.profiles,
                services=selected,
                scale=scale,
            )
            self._loaded[key] = load(request).desired
        return self._loaded[key]


def _programs(scenario: Scenario, desired: Desired) -> dict[str, Program]:
    """As the scenario says; what others wait to complete for does so after a second, and the rest runs."""
    completing = {
        dependency.service
        for spec in desired.containers
        for dependency in spec.depends_on
        if dependency.condition is Condition.COMPLETED
    }
    programs = {service: one_shot() for service in completing}
    return programs | {service: _program(each) for service, each in scenario.simulation.programs.items()}


def _program(behaviour: Behaviour) -> Program:
    run = partial(Run, healthy_from=behaviour.healthy_after.seconds, stops_after=behaviour.stops_after.seconds)
    if behaviour.ends_after is None:
        return Program((run(),))
    ending = run(exits_after=behaviour.ends_after.seconds, exit_code=behaviour.exit_code)
    if not behaviour.steady_from_run:
        return Program((ending,))
    return Program((*(ending for _ in range(behaviour.steady_from_run - 1)), run()))


def _troubles(scenario: Scenario, seed: int) -> Troubles:
    from random import Random

    ills = scenario.simulation.troubles
    if ills is None:
        return draw_troubles(Random(f"troubles {seed}"), drift=False) if seed else PEACE
    return Troubles(
        crashes=ills.crashes,
        drift=ills.drift,
        clock_jumps=ills.clock_jumps,
        errors=ills.errors,
        slow=ills.slow,
        latency=ills.latency.seconds,
        lost=ills.lost,
        doubled=ills.doubled,
        late=ills.late,
    )


def _in_words(group: BaseExceptionGroup[BaseException]) -> str:
    """The first of what went wrong. Raises what is a mistake of ours."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, (NotSo, OrchestraError, AssertionError)):
        raise error
    return _said(error)


def _said(error: BaseException) -> str:
    hint = error.hint if isinstance(error, OrchestraError) else ""
    return f"{error} ({hint})" if hint else str(error)
