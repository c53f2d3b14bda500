"""What an earlier version has written and started is taken over by this one: read, adopted, and not made anew."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import orchestra
from tests.cli.test_prune import processes_of
from tests.examples.conftest import Orchestra, needs_containers
from tests.upgrade.record import STATES, restore
from tests.upgrade.stack import CONTAINERS, NAME, write_stack

pytestmark = needs_containers

BEFORE_CONNECTIONS = "2026-11-29T22.tar.xz"
"""Networks were a part of a container's definition then: its files are read, but its containers are made anew."""


def recorded() -> list[str]:
    return sorted(path.name for path in STATES.iterdir())


@pytest.fixture
def stack(tmp_path):
    write_stack(tmp_path / NAME)
    found = Orchestra(tmp_path / NAME / "compose.yaml", tmp_path / "home")
    yield found
    found.down()


@pytest.mark.parametrize("name", recorded())
def test_the_state_of_an_earlier_version_is_read(stack, name):
    restore(name, stack.home, stack.folder)
    rows = [json.loads(line) for line in stack.run("ps", "-a", "--format", "json").stdout.splitlines()]
    assert tuple(sorted(row["Name"] for row in rows)) == CONTAINERS
    assert {row["Name"]: row["ExitCode"] for row in rows}["upgrade-job-1"] == 0
    planned = stack.run("plan", "--format", "json", code=2)
    assert "cannot be read" not in planned.stderr
    replaced = {each["resource"] for each in json.loads(planned.stdout)["replaced"]}
    assert replaced == ({f"container/{each}" for each in CONTAINERS} if name == BEFORE_CONNECTIONS else set())


def install(place: Path, version: str) -> None:
    """The package with this version number, over what is there."""
    source = Path(orchestra.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.rmtree(place / "orchestra", ignore_errors=True)
    shutil.copytree(source, place / "orchestra", ignore=ignored)
    init = place / "orchestra/__init__.py"
    text = init.read_text().replace(f'"{orchestra.__version__}"', f'"{version}"')
    init.write_text(text)


def test_a_supervisor_of_an_earlier_version_is_replaced_and_no_container_stops(stack, tmp_path):
    def run(*arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "orchestra", *arguments]
        environment = {**stack.environment, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, env=environment, cwd=stack.folder, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr + stack.trouble()
        return done.stdout + done.stderr

    def states() -> dict[str, str]:
        directory = stack.home / "run/stacks" / NAME / "containers"
        return {name: (directory / name / "state.json").read_text() for name in CONTAINERS if "job" not in name}

    install(tmp_path, "0.0.9")
    run("up", "-d")
    before, processes = states(), processes_of(stack)
    keepers = {pid for pid, name in processes.items() if name == "orchestra-shim"}
    install(tmp_path, orchestra.__version__)
    assert "replaced" not in run("plan", code=2)
    run("up", "-d")
    assert states() == before
    assert keepers < processes_of(stack).keys()
    run("exec", "-T", "db", "true")
    run("restart", "-t", "0", "db")
    assert states()["upgrade-db-1"] != before["upgrade-db-1"]

    install(tmp_path, "0.0.9")
    assert f"is run by orchestra {orchestra.__version__}" in run("up", "-d", code=1)
