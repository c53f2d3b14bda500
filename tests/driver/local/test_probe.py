"""Probes that the container itself stands in the way of."""

from __future__ import annotations

import os

import pytest

from orchestra.driver.local import probe
from orchestra.driver.local.runtime.runtime import Runtime
from tests.shim.conftest import eventually, stack, tree

__all__ = ["stack", "tree"]

pytestmark = [
    pytest.mark.root,
    pytest.mark.anyio,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
]


async def test_a_probe_that_the_container_stops_runs_into_its_timeout_and_leaves_nothing(stack):
    container = stack.shell("while :; do kill -STOP -1; done")
    container.run()
    runtime = Runtime(stack.home.fork_socket)
    for _ in range(3):
        result = await probe.run(runtime, container.directory, ("sleep", "1000"), 0.3)
        assert (result.exit_code, result.output) == (None, "timed out after 0.3 s.")
    first = container.state().pid
    eventually(lambda: container.cgroup.processes() == [first])


async def test_a_probe_at_its_timeout_leaves_nothing_of_what_it_has_started(stack):
    container = stack.container("sleep", "60")
    container.run()
    runtime = Runtime(stack.home.fork_socket)
    result = await probe.run(runtime, container.directory, ("sh", "-c", "sleep 1000 & sleep 1001; true"), 0.3)
    assert result.exit_code is None
    first = container.state().pid
    eventually(lambda: container.cgroup.processes() == [first])


async def test_a_probe_keeps_its_first_output(stack):
    container = stack.container("sleep", "60")
    container.run()
    runtime = Runtime(stack.home.fork_socket)
    result = await probe.run(runtime, container.directory, ("sh", "-c", "echo well; exit 3"), 5)
    assert (result.exit_code, result.output) == (3, "well\n")
    result = await probe.run(runtime, container.directory, ("sh", "-c", "echo wait; sleep 60"), 0.5)
    assert (result.exit_code, result.output) == (None, "timed out after 0.5 s. wait")
