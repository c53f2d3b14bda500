"""The plugin of pytest: the fixture ``stack``, and the logs of a stack in the report of a failed test.

pytest imports this in every run where Orchestra is installed, so nothing else is imported before a test uses a stack.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import orchestra

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from orchestra import ContainerRow, RunningStack

SCOPES = ("function", "class", "module", "package", "session")
LINES = 100
"""How many lines of each container a report shows."""
BEGAN = pytest.StashKey[float]()
MARKER = (
    "orchestra(*files, **options): the Compose files of the fixture 'stack', relative to the test's directory, "
    "and options of orchestra.up"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("orchestra", "stacks of containers")
    group.addoption(
        "--keep-stacks", action="store_true", help="leave the stacks running that the fixture 'stack' has started"
    )
    files = "Compose files of the fixture 'stack', relative to this file; without any, those that orchestra would find"
    parser.addini("orchestra_files", files, type="paths", default=[])
    parser.addini("orchestra_scope", f"how long one stack is used: {', '.join(SCOPES)}", default="module")
    parser.addini("orchestra_timeout", "how many seconds a stack has to come up", default="120")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


def scope_of(fixture_name: str, config: pytest.Config) -> Any:
    """Raises UsageError for a scope that does not exist."""
    scope = config.getini("orchestra_scope")
    if scope not in SCOPES:
        raise pytest.UsageError(f"orchestra_scope = {scope}: must be one of {', '.join(SCOPES)}")
    return scope


@pytest.fixture(scope=scope_of)
def stack(request: pytest.FixtureRequest) -> Iterator[RunningStack]:
    """A stack of its own, up before the first test that uses it, and down after the last of its scope.

    The marker ``orchestra`` or the setting ``orchestra_files`` names its files.
    """
    with opened(request.node, request.config) as running:
        yield running


@contextmanager
def opened(node: pytest.Item | pytest.Collector, config: pytest.Config) -> Iterator[RunningStack]:
    files, options = settings_of(node, config)
    with orchestra.up(files, **options) as running:
        yield running


def settings_of(node: pytest.Item | pytest.Collector, config: pytest.Config) -> tuple[list[Path], dict[str, Any]]:
    """The files, and the options of ``orchestra.up``. Raises UsageError."""
    try:
        timeout = float(config.getini("orchestra_timeout"))
    except ValueError:
        raise pytest.UsageError("orchestra_timeout is not a number of seconds") from None
    options: dict[str, Any] = {"unique": True, "timeout": timeout, "keep": config.getoption("keep_stacks")}
    marker = node.get_closest_marker("orchestra")
    if marker is None:
        return list(config.getini("orchestra_files")) or find_file(config.rootpath), options
    return [node.path.parent / file for file in marker.args], {**options, **marker.kwargs}


def find_file(directory: Path) -> list[Path]:
    """The one that the command would find there; none if it would have to look elsewhere."""
    from orchestra.stacks.foresee import FILES

    return [directory / name for name in FILES if (directory / name).exists()][:1]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Raises UsageError for markers that the fixture cannot see, since it is made for several tests."""
    scope = config.getini("orchestra_scope")
    for item in items:
        marker = item.get_closest_marker("orchestra")
        if marker is None or "stack" not in getattr(item, "fixturenames", ()):
            continue
        module = item.getparent(pytest.Module)
        node = {"function": item, "class": item.getparent(pytest.Class) or module, "module": module}.get(scope)
        if node is None or node.get_closest_marker("orchestra") is not marker:
            raise pytest.UsageError(
                f"{item.nodeid}: its marker 'orchestra' has no effect, for 'stack' has the scope {scope}: "
                f"mark the {scope} instead, or set orchestra_scope = function"
            )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[BEGAN] = time.time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    running = getattr(item, "funcargs", {}).get("stack")
    if call.when == "call" and report.failed and running and isinstance(running, orchestra.RunningStack):
        report.sections.append((f"stack {running.name}", describe(running, item.stash[BEGAN])))
    return report


def describe(running: RunningStack, since: float) -> str:
    """The containers, and what they have written since that Unix time."""
    from orchestra.errors import OrchestraError

    try:
        rows = running.containers()
        states = [f"{row.name}: {describe_state(row)}" for row in rows]
        lines = [str(line) for line in running.logs(tail=LINES) if line.time >= since]
    except OrchestraError as error:
        return f"nothing is known: {error}"
    return "\n".join([*states, *lines])


def describe_state(row: ContainerRow) -> str:
    from orchestra.model.health import HealthStatus

    if row.state == "exited":
        return f"exited, exit code {row.exit_code}"
    return row.state if row.health.status is HealthStatus.NONE else f"{row.state}, {row.health.status}"
