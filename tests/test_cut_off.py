"""A run that is cut off leaves no process, control group or namespace behind, and so no interface, rule or mount."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.examples.conftest import eventually, needs_containers
from tests.nested import Nested

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.run import Run

# One at a time: a run is told by its directory, which lies beside those of other tests here.
pytestmark = [*needs_containers, pytest.mark.xdist_group("nested")]

STACK = """
services:
  web:
    image: rootfs:BUSYBOX
    command: [sleep, infinity]
    ports: ["80"]
    healthcheck: {test: [CMD, "true"], interval: 1s}
"""
TEST = f"""
import os
import subprocess
import sys
import threading
from pathlib import Path
from orchestra.linux import cgroup
from tests.run import word

def freeze():
    # In version 1 a process that is frozen does not die of a signal.
    group = cgroup.at(f"/orchestra/{{word()}}/frozen")
    group.create({{}})
    sleeper = subprocess.Popen(["sleep", "100"])
    for directory in group.views().values():
        Path(directory, "cgroup.procs").write_text(str(sleeper.pid))
        for name, value in (("freezer.state", "FROZEN"), ("cgroup.freeze", "1")):
            if Path(directory, name).exists():
                Path(directory, name).write_text(value)
    return sleeper

def test_it(write_stack):
    sleeper = freeze()
    stack = write_stack('''{STACK}''')
    up = ["up", "-d", "--wait"]
    if "PYTEST_XDIST_WORKER" in os.environ:
        stack.run(*up)
    else:  # a process to fork a single command from takes longer
        command = [sys.executable, "-m", "orchestra", "-f", str(stack.file)]
        subprocess.run([*command, *up], env=stack.environment, check=True)
    (Path(__file__).parent / "ready").touch()
    threading.Event().wait(50)
"""


@contextmanager
def running(path: Path, *options: str) -> Iterator[tuple[Run, subprocess.Popen]]:
    """A run whose stack is up. It is killed at the end at the latest."""
    nested = Nested(path, TEST)
    with (
        (path / "output").open("w") as output,
        nested.start(*options, stdout=output, stderr=output, start_new_session=True) as process,
    ):
        try:
            eventually(lambda: (path / "ready").exists() or process.poll() is not None, seconds=40)
            assert process.poll() is None
            yield nested.begun(), process
        except AssertionError as error:
            error.add_note((path / "output").read_text())
            raise
        finally:
            process.kill()


def namespaces() -> set[str]:
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.add(os.readlink(link))
        except OSError:
            continue
    return found


def reaper_of(run: Run) -> int:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(run.base) in words and any(word.endswith(b"/reaper.py") for word in words):
            return int(path.parent.name)
    raise AssertionError("it has no reaper")


@pytest.mark.parametrize(
    ("number", "options"),
    [
        (signal.SIGKILL, ("-n", "0")),
        (signal.SIGKILL, ("-n", "1")),
        (signal.SIGTERM, ("-n", "0")),
        (signal.SIGINT, ("-n", "1")),
    ],
)
def test_nothing_is_left_of_a_run_that_is_cut_off(tmp_path, number, options):
    with ExitStack() as kept:
        with running(tmp_path, *options) as (run, process):
            network = os.readlink(f"/proc/{process.pid}/ns/net")
            kept.enter_context(open(f"/proc/{process.pid}/ns/net"))  # or its number would be given to the next one
            assert len(list(run.processes())) > 3
            assert len(run.groups()) > 0
            process.send_signal(number)
            process.wait(40)
        eventually(run.is_over, seconds=40)
        assert (run.is_cleared(), run.groups(), list(run.processes())) == (True, [], [])
        assert network not in namespaces()


def test_the_next_run_ends_what_is_left_of_one_whose_reaper_was_killed_too(tmp_path):
    with running(tmp_path) as (run, process):
        os.kill(reaper_of(run), signal.SIGKILL)
        process.kill()
    assert len(list(run.processes())) > 3
    assert not run.is_cleared()
    assert Nested(tmp_path, "def test_it(): pass\n").run().returncode == 0
    assert (run.is_cleared(), run.groups(), list(run.processes())) == (True, [], [])
