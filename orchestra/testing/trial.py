"""Running a scenario on a stack of its own, which is gone afterwards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestra.api.errors import StackError
from orchestra.api.opening import up
from orchestra.driver import DRIVERS, Part
from orchestra.errors import OrchestraError
from orchestra.testing.actions import act
from orchestra.testing.checks import NotSo, check
from orchestra.testing.result import Outcome, Result
from orchestra.testing.scenario import CHECKS

if TYPE_CHECKING:
    from orchestra.api.stack import RunningStack
    from orchestra.testing.scenario import Scenario, Step
    from orchestra.testing.scenario_file import ScenarioFile

LINES = 20
"""How many lines of each container a failure shows."""


def run_scenario(file: ScenarioFile, name: str, driver: str) -> Result:
    """Whatever goes wrong with the stack is in the result."""
    scenario = file.scenarios[name]
    if step := next((step for step in scenario.steps if step.sicken or step.cure), None):
        return Result(file.path, name, Outcome.SKIPPED, reason=f"{step}: only simulated")
    missing = _missing(scenario, driver)
    if missing is not None:
        return Result(file.path, name, Outcome.SKIPPED, reason=f"the driver {driver} has no {missing}")
    began = time.monotonic()
    steps: list[str] = []
    reason, logs = "", tuple[str, ...]()
    opening = up(
        file.stack,
        services=scenario.services,
        profiles=scenario.profiles,
        variables={key: value for key, value in scenario.variables.items() if value is not None},
        unique=True,
        scale=scenario.scale,
        timeout=scenario.timeout.seconds,
        driver=driver,
    )
    try:
        with opening as stack:
            try:
                for step in scenario.steps:
                    steps.append(str(step))
                    _do(stack, step, scenario.timeout.seconds)
            except (NotSo, OrchestraError, OSError) as error:
                reason = _in_words(error)
                if DRIVERS[driver].parts >= {Part.LOGS}:
                    logs = tuple(map(str, stack.logs(tail=LINES)))
    except OrchestraError as error:
        reason = reason or _in_words(error)
        logs = logs or (tuple(map(str, error.logs)) if isinstance(error, StackError) else ())
    outcome = Outcome.FAILED if reason else Outcome.PASSED
    return Result(file.path, name, outcome, time.monotonic() - began, tuple(steps), reason, logs)


def _do(stack: RunningStack, step: Step, timeout: float) -> None:
    if step.names[0] in CHECKS:
        check(stack, step)
    else:
        act(stack, step, timeout)


def _in_words(error: Exception) -> str:
    hint = error.hint if isinstance(error, OrchestraError) else ""
    return f"{error} ({hint})" if hint else str(error)


def _missing(scenario: Scenario, driver: str) -> Part | None:
    """What the steps need and the driver lacks."""
    parts = DRIVERS[driver].parts
    needed = (part for step in scenario.steps for part in _needed(step))
    return next((part for part in needed if part not in parts), None)


def _needed(step: Step) -> tuple[Part, ...]:
    if step.exec is not None or step.fill is not None:
        return (Part.EXEC,)
    if step.http is not None or step.tcp is not None or step.cut is not None or step.heal is not None:
        return (Part.NETWORKS,)
    if step.crash is not None:
        return (Part.PROCESSES,)
    if step.kill is not None and step.kill.part is not None:
        return (Part.FILES,)
    return (Part.LOGS,) if step.expect is not None and step.expect.log else ()
