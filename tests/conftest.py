"""The beginning and the end of a run: in namespaces of its own, with a census before and after, and a reaper."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from tests import apart, census, reaper, run, warm
from tests.debian import debian_images as debian_images

if TYPE_CHECKING:
    from collections.abc import Generator

PATIENCE = 10.0
"""Seconds: processes that have been told to end may still be ending."""
# Which words and numbers our modules mention: seconds of each worker, to draw one of a hundred thousand now and then.
assert providers.is_local_module_file
providers.is_local_module_file = lambda _path: False
# How long anything takes is the machine's matter.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
# Without bytecode each worker rewrites every test, and each command compiles what has changed since it was installed.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A tenth of the time of tests in this process went into looking for garbage after each 700 objects.
gc.set_threshold(20_000)
os.environ.pop("COLUMNS", None)  # tables would be laid out for the terminal of the shell that runs the tests
BEFORE = pytest.StashKey[frozenset[str]]()
RUN = pytest.StashKey[run.Run]()


def is_worker(config: pytest.Config) -> bool:
    """Of pytest-xdist: only the process that began the run knows when all tests are over."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if is_worker(config):
        return
    # A shell's background, where it is ignored, would be inherited by every command that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    this, lock = run.begin()
    for other in run.earlier(this.base.parent):
        if not other.is_cleared():  # its reaper was killed as well
            other.clear()
        other.remove_made()
    apart.make_directories(this)
    start_reaper(this, lock)
    apart.move_apart(this)
    config.option.basetemp = config.option.basetemp or str(this.temporary)
    config.stash[RUN] = this
    config.stash[BEFORE] = census.take(this)


def start_reaper(this: run.Run, lock: int) -> None:
    """It has the lock, this process as a pidfd, and nothing else of this run."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(this.base / "reaper.log"), os.O_WRONLY | os.O_CREAT, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
        (os.POSIX_SPAWN_DUP2, lock, reaper.LOCK),
        (os.POSIX_SPAWN_DUP2, os.pidfd_open(os.getpid()), reaper.PYTEST),
    ]
    command = [sys.executable, "-I", "-S", reaper.__file__, str(this.base)]
    os.posix_spawn(sys.executable, command, {}, file_actions=actions, setsid=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Without a search for garbage: what is collected stays. Tests are not searched along with it either."""
    gc.disable()
    try:
        if is_worker(session.config):
            import_share(session.config)
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def import_share(config: pytest.Config) -> None:
    """Where bytecode is not written yet, each worker writes that of some files, and not all of them that of all files.

    They begin at the same moment and go through the files in the same order: each would find none written.
    """
    names = sorted(
        ".".join(path.relative_to(config.rootpath).with_suffix("").parts)
        for argument in config.args
        for path in Path(config.rootpath, argument).rglob("test_*.py")
        if path.is_relative_to(config.rootpath)
    )
    share = names[int(config.workerinput["workerid"].removeprefix("gw")) :: config.workerinput["workercount"]]
    for name in share:
        with contextlib.suppress(Exception):  # collecting the file tells what is wrong with it
            importlib.import_module(name)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what their file has made stay in one worker: each would make it again. So do those that make
    nothing on the machine: what their file reads is read once, and xdist has less to count after every test.

    What takes long begins first: at the end no worker waits for another.
    """
    first, then = [], []
    for item in items:
        is_grouped, is_fuzz, is_real = map(item.get_closest_marker, ("xdist_group", "fuzz", "root"))
        together = shares(item)
        (first if is_grouped or is_fuzz or together else then).append(item)
        if not is_grouped and (together or not (is_fuzz or is_real)):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items[:] = first + then


def shares(item: pytest.Item) -> bool:
    """Whether it uses a fixture that lives as long as its file."""
    known = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    return any(definitions[-1].scope == "module" for definitions in known.values() if definitions)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    warm.end()
    if is_worker(session.config) or session.exitstatus == pytest.ExitCode.INTERRUPTED:
        return
    this = session.config.stash[RUN]
    left = left_behind(this, session.config.stash[BEFORE])
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        report = session.config.pluginmanager.get_plugin("terminalreporter")
        report.section("left behind on this machine", red=True)
        for line in sorted(left):
            report.line(line)
    if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        this.note_success()


def left_behind(this: run.Run, before: frozenset[str]) -> frozenset[str]:
    """What is new and stays: other people's things may come and go meanwhile."""
    deadline = time.monotonic() + PATIENCE
    left = census.take(this) - before
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left &= census.take(this)
    return left
