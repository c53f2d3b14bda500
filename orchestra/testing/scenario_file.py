"""From a file of scenarios to ``Scenarios``, with every mistake in it at its place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.compose.nodes import locate, plain
from orchestra.compose.problems import Problems
from orchestra.compose.schema.reading import read
from orchestra.compose.source import Source, parse_documents
from orchestra.errors import ComposeError, ComposeFileNotFound, Diagnostic
from orchestra.nearest import suggest
from orchestra.record import Record
from orchestra.testing.scenario import ALL, CHECKS, TIMES, Scenarios

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from orchestra.compose.nodes import Map, Path
    from orchestra.testing.scenario import Scenario, Step

ENDING = ".scenario.yaml"


class ScenarioFile(Record):
    """stack: the absolute paths of its Compose files."""

    path: str
    stack: tuple[str, ...]
    scenarios: dict[str, Scenario]


def find_scenario_files(directory: str = "") -> list[str]:
    """Those in a directory; without one, the names of those in the working directory. Raises ComposeFileNotFound."""
    found = sorted(name for name in os.listdir(directory or ".") if name.endswith(ENDING))
    if not found:
        message = f"no file of scenarios: nothing in {directory or os.getcwd()} ends with {ENDING}"
        raise ComposeFileNotFound((Diagnostic("file-not-found", message, hint="name one"),))
    return [os.path.join(directory, name) for name in found]


def load_scenarios(
    path: str, files: Sequence[str], find_services: Callable[[Sequence[str], Scenario], Iterable[str]]
) -> ScenarioFile:
    """files: Compose files to use instead of those that it names. find_services: those of Compose files with the
    profiles and variables of a scenario.

    Raises ComposeFileNotFound, and ComposeError with every mistake.
    """
    problems = Problems()
    documents = parse_documents(Source(path, _read(path)), problems)
    problems.raise_errors()
    if len(documents) != 1:
        raise ComposeError((Diagnostic("yaml", f"{path} must have one document, not {len(documents)}"),))
    document = documents[0]
    scenarios = _validate(document, problems)
    stack = tuple(files) or _stack_files(path, scenarios)
    for name, scenario in scenarios.scenarios.items():
        known = sorted(find_services(stack, scenario))
        for service in scenario.simulation.programs:
            if service not in known:
                at = ("scenarios", name, "simulation", "programs", service)
                where = locate(document, at, key=True)
                problems.error(
                    "undefined", f"no such service: {service}", where, at, suggest(service, known, "services")
                )
        for index, step in enumerate(scenario.steps):
            _check_step(document, ("scenarios", name, "steps", index), step, known, problems)
    problems.raise_errors()
    return ScenarioFile(path, stack, scenarios.scenarios)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        raise ComposeFileNotFound((Diagnostic("file-not-found", f"{path} does not exist"),)) from None
    except (OSError, ValueError) as error:
        raise ComposeError((Diagnostic("unreadable-file", f"{path} cannot be read: {error}"),)) from error


def _validate(document: Map, problems: Problems) -> Scenarios:
    try:
        return read(Scenarios, plain(document))
    except ValueError:
        from orchestra.compose.mistakes import without_mistakes

        without_mistakes(document, problems, Scenarios)
        problems.raise_errors()
        raise


def _stack_files(path: str, scenarios: Scenarios) -> tuple[str, ...]:
    from orchestra.stacks.foresee import FILES

    directory = os.path.dirname(os.path.abspath(path))
    beside = [name for name in FILES if os.path.exists(os.path.join(directory, name))][:1]
    names = scenarios.stack or beside
    if not names:
        message = f"{path} names no stack, and there is no Compose file beside it"
        raise ComposeFileNotFound((Diagnostic("file-not-found", message, hint="add stack: compose.yaml"),))
    return tuple(os.path.normpath(os.path.join(directory, name)) for name in names)


def _check_step(document: Map, path: Path, step: Step, services: Sequence[str], problems: Problems) -> None:
    place, names = locate(document, path), step.names
    if len(names) != 1:
        found = f"has {' and '.join(names)}" if names else "has none"
        known = ", ".join(key for key in step.hints() if key not in TIMES)
        problems.error("invalid-step", f"a step is one action or expectation; this one {found}", place, path, known)
        return
    if step.kill is not None and not step.kill.service and step.kill.part in (None, "shim"):
        problems.error("missing-key", "kill is missing the key service", locate(document, (*path, "kill")), path)
    for limit in TIMES:
        if getattr(step, limit) is not None and names[0] not in CHECKS:
            message = f"{names[0]} is done when it is done: {limit} is for {', '.join(CHECKS)}"
            problems.error("invalid-step", message, locate(document, (*path, limit), key=True), path)
    for at, service in _services_of(step, names[0]):
        if service not in services:
            hint = suggest(service, services, "services")
            where = locate(document, (*path, *at), key=at[-1] == service)
            problems.error("undefined", f"no such service: {service}", where, (*path, *at), hint)


def _services_of(step: Step, name: str) -> Iterator[tuple[Path, str]]:
    """Where a step names services, below the step, and their names."""
    value = getattr(step, name)
    if isinstance(value, tuple):
        yield from (((name,), service) for service in value if service != ALL)
    elif name == "scale":
        yield from (((name, service), service) for service in value)
    elif name == "expect":
        groups = {key: getattr(value, key) for key in value.hints()}
        yield from (((name, key, service), service) for key, group in groups.items() for service in group)
    elif name == "up":
        yield from (((name, "services"), service) for service in value.services if service != ALL)
    elif value.service:
        yield (name, "service"), value.service
