"""``orchestra test``: the scenarios of files, one after the other."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from orchestra.errors import ComposeError, UserError
from orchestra.record import Record, replace
from orchestra.testing.result import Outcome, Result
from orchestra.testing.scenario_file import find_scenario_files, load_scenarios
from orchestra.testing.trial import run_scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orchestra.errors import Diagnostic
    from orchestra.model.desired import Desired
    from orchestra.stacks.context import Context
    from orchestra.testing.scenario import Scenario
    from orchestra.testing.scenario_file import ScenarioFile


class TestOptions(Record):
    """files: of scenarios; without any, those in the working directory. keyword: only scenarios whose name has it.

    seeds: those with which each is simulated; without any, it runs on the driver.
    """

    files: tuple[str, ...] = ()
    keyword: str = ""
    seeds: tuple[int, ...] = ()


def load_files(context: Context, options: TestOptions) -> list[ScenarioFile]:
    """Raises ComposeError with the mistakes of all files, ComposeFileNotFound, and UserError if no scenario is left."""
    files = [os.path.expanduser(file) for file in options.files] or find_scenario_files()
    stack = [os.path.abspath(file) for file in context.project.files]
    loaded: list[ScenarioFile] = []
    diagnostics: list[Diagnostic] = []
    for file in files:
        try:
            loaded.append(load_scenarios(file, stack, partial(_find_services, context)))
        except ComposeError as error:
            if len(files) == 1:
                raise
            diagnostics += error.diagnostics
    if diagnostics:
        raise ComposeError(tuple(diagnostics))
    if not any(options.keyword in name for file in loaded for name in file.scenarios):
        names = ", ".join(name for file in loaded for name in file.scenarios)
        raise UserError(f"no scenario has {options.keyword!r} in its name", hint=f"scenarios are {names}")
    return loaded


def run_files(context: Context, files: Iterable[ScenarioFile], options: TestOptions) -> Iterator[Result]:
    """Each scenario's result as soon as there is one."""
    for file in files:
        for name in file.scenarios:
            if options.keyword in name:
                yield (
                    _simulate(context, file, name, options)
                    if options.seeds
                    else run_scenario(file, name, context.driver)
                )


def _simulate(context: Context, file: ScenarioFile, name: str, options: TestOptions) -> Result:
    """The first failure, or else the last result, with the time of all."""
    from orchestra.testing.simulation.trial import simulate_scenario

    loaded: dict[str, Desired] = {}
    began = time.monotonic()
    result = Result(file.path, name, Outcome.SKIPPED)
    for seed in options.seeds:
        result = simulate_scenario(file, name, seed, context.environment, loaded)
        if result.outcome is not Outcome.PASSED:
            break
    return replace(result, seconds=time.monotonic() - began)


def _find_services(context: Context, files: Sequence[str], scenario: Scenario) -> Iterable[str]:
    """Those of Compose files, with the profiles and variables of a scenario. Raises what a load raises."""
    from orchestra.compose.api import load

    variables = {key: value for key, value in scenario.variables.items() if value is not None}
    environment = {**context.environment, **variables}
    return load(files, profiles=scenario.profiles, environment=environment).services
