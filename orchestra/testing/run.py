"""``orchestra test``: the scenarios of files, one after the other."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from orchestra.errors import ComposeError, UserError
from orchestra.record import Record
from orchestra.testing.scenario_file import find_scenario_files, load_scenarios
from orchestra.testing.trial import Result, run_scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orchestra.errors import Diagnostic
    from orchestra.stacks.context import Context
    from orchestra.testing.scenario import Scenario
    from orchestra.testing.scenario_file import ScenarioFile


class TestOptions(Record):
    """files: of scenarios; without any, those in the working directory. keyword: only scenarios whose name has it."""

    files: tuple[str, ...] = ()
    keyword: str = ""


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


def run_files(context: Context, files: Iterable[ScenarioFile], keyword: str) -> Iterator[Result]:
    """Each scenario's result as soon as there is one."""
    for file in files:
        for name in file.scenarios:
            if keyword in name:
                yield run_scenario(file, name, context.driver)


def _find_services(context: Context, files: Sequence[str], scenario: Scenario) -> Iterable[str]:
    """Those of Compose files, with the profiles and variables of a scenario. Raises what a load raises."""
    from orchestra.compose.api import load

    variables = {key: value for key, value in scenario.variables.items() if value is not None}
    environment = {**context.environment, **variables}
    return load(files, profiles=scenario.profiles, environment=environment).services
