"""Before the first test and after the last, a census of the machine: whatever a test left behind fails the run."""

from __future__ import annotations

import time

import pytest

from tests import census
from tests.debian import debian_images as debian_images

PATIENCE = 10.0
"""Seconds: processes that have been told to end may still be ending."""
BEFORE = pytest.StashKey[frozenset[str]]()


def is_worker(config: pytest.Config) -> bool:
    """Of pytest-xdist: only the process that began the run knows when all tests are over."""
    return hasattr(config, "workerinput")


def pytest_sessionstart(session: pytest.Session) -> None:
    if not is_worker(session.config):
        session.config.stash[BEFORE] = census.take()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if is_worker(session.config):
        return
    left = left_behind(session.config.stash[BEFORE])
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        report = session.config.pluginmanager.get_plugin("terminalreporter")
        report.section("left behind on this machine", red=True)
        for line in sorted(left):
            report.line(line)


def left_behind(before: frozenset[str]) -> frozenset[str]:
    deadline = time.monotonic() + PATIENCE
    while left := census.take() - before:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.1)
    return frozenset()
