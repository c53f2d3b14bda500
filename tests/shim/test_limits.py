"""Limits of the container's cgroup, as the container meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.linux import cgroup
from tests.shim.conftest import eventually

MIB = 1 << 20

pytestmark = pytest.mark.skipif(cgroup.machine_hierarchy().version == 0, reason="no cgroup controllers are mounted")


def test_memory_beyond_the_limit_kills_and_is_recorded(stack):
    limits = {"memory": {"limit": 16 * MIB, "swap": 16 * MIB}}
    container = stack.container("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1", resources=limits)
    container.run()
    ended = container.wait()
    assert (ended.exit_code, ended.oom_killed) == (137, True)


def test_a_limit_too_small_to_begin_with_is_named(stack):
    container = stack.container("sleep", "60", resources={"memory": {"limit": 200_000, "swap": 200_000}})
    with pytest.raises(OSError, match=r"memory"):
        container.run()
    assert container.leftovers() == []


def test_processes_beyond_the_limit_are_refused(stack):
    script = "for i in 1 2 3 4 5 6 7 8; do sleep 60 & done; echo all"
    container = stack.shell(script, resources={"pids": {"limit": 4}})
    container.run()
    container.wait()
    assert "can't fork" in container.texts("stderr")[0]
    assert container.texts("stdout") == []


def test_processors(stack):
    container = stack.shell("nproc; sleep 60", resources={"cpu": {"cpus": "0", "quota": 50_000, "period": 100_000}})
    assert container.run().warnings == ()
    assert eventually(lambda: container.texts("stdout")) == ["1"]
    if cgroup.machine_hierarchy().version == 2:
        assert Path(stack.groups(container.name)[0], "cpu.max").read_text() == "50000 100000\n"


def test_devices_that_are_not_allowed(stack):
    rules = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"},
        {"allow": True, "type": "c", "major": 1, "minor": 9, "access": "rwm"},
    ]
    script = (
        "echo x > /dev/null && echo null; head -c1 /dev/zero || echo no zero; mknod /u c 1 9 && head -c1 /u | wc -c"
    )
    container = stack.shell(script, resources={"devices": rules})
    container.run()
    container.wait()
    assert container.texts("stdout") == ["null", "no zero", "1"]
