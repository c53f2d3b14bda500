"""Limits of a container as the kernel has them, changes of them, and being told what is used and what is too much."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from orchestra.linux import cgroup
from tests.oci_cli.conftest import eventually

VERSION = cgroup.machine_hierarchy().version
MIB = 1 << 20
HOG = "sleep 0.2; tail /dev/zero; echo survived; exec sleep 60"


def read(runtime, first, second):
    """A file of the container's group, by its name on version 1 or on version 2."""
    file = first if VERSION == 1 else second
    group = cgroup.at(f"{runtime.group}/c")
    return Path(group.directory(file.partition(".")[0]), file).read_text().strip()


def events(runtime):
    """The command ``events``, and a function that returns its next event."""
    process = subprocess.Popen(
        [*runtime.command, "events", "--interval", "100ms", "c"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    return process, lambda: json.loads(process.stdout.readline())


def test_limits_of_the_configuration_are_the_kernels(runtime):
    runtime.bundle().linux["resources"] |= {
        "memory": {"limit": 32 * MIB, "swap": 48 * MIB, "reservation": 16 * MIB},
        "cpu": {"shares": 512, "quota": 40_000, "period": 80_000, "cpus": "0", "mems": "0"},
        "pids": {"limit": 77},
    }
    runtime.ok("create", "c")
    assert read(runtime, "memory.limit_in_bytes", "memory.max") == str(32 * MIB)
    assert read(runtime, "memory.memsw.limit_in_bytes", "memory.swap.max") == str((48 if VERSION == 1 else 16) * MIB)
    assert read(runtime, "memory.soft_limit_in_bytes", "memory.low") == str(16 * MIB)
    assert read(runtime, "cpu.shares", "cpu.weight") == ("512" if VERSION == 1 else "20")
    assert read(runtime, "cpu.cfs_quota_us", "cpu.max") == ("40000" if VERSION == 1 else "40000 80000")
    assert read(runtime, "cpuset.cpus", "cpuset.cpus") == "0"
    assert read(runtime, "pids.max", "pids.max") == "77"


def test_memory_without_a_limit(runtime):
    runtime.bundle().linux["resources"]["memory"] = {"limit": -1}
    runtime.ok("create", "c")
    assert read(runtime, "memory.limit_in_bytes", "memory.max") in ("max", "9223372036854771712")


def test_update_changes_limits(runtime):
    runtime.bundle().linux["resources"]["pids"] = {"limit": 100}
    runtime.ok("run", "--detach", "c")
    runtime.ok("update", "--pids-limit", "30", "c")
    assert read(runtime, "pids.max", "pids.max") == "30"
    resources = runtime.path / "resources.json"
    resources.write_text(json.dumps({"pids": {"limit": 31}}))
    with open(resources) as source:
        runtime.ok("update", "--resources", str(resources) if runtime.name == "crun" else "-", "c", stdin=source)
    assert read(runtime, "pids.max", "pids.max") == "31"
    runtime.ok("update", "--cpu-quota", "50000", "--cpu-period", "100000", "--cpuset-cpus", "0", "c")
    assert read(runtime, "cpu.cfs_quota_us", "cpu.max") == ("50000" if VERSION == 1 else "50000 100000")
    assert read(runtime, "cpuset.cpus", "cpuset.cpus") == "0"


def test_an_update_keeps_what_it_does_not_speak_of(ours):
    ours.bundle().linux["resources"]["memory"] = {"limit": 64 * MIB, "swap": 64 * MIB}
    ours.ok("run", "--detach", "c")
    ours.ok("update", "--memory-swap", "96m", "c")
    assert read(ours, "memory.limit_in_bytes", "memory.max") == str(64 * MIB)
    assert read(ours, "memory.memsw.limit_in_bytes", "memory.swap.max") == str((96 if VERSION == 1 else 32) * MIB)
    ours.ok("update", "--memory", "128M", "--memory-swap", str(128 * MIB), "c")
    assert read(ours, "memory.limit_in_bytes", "memory.max") == str(128 * MIB)
    assert "size" in ours.fails("update", "--memory", "much", "c")


@pytest.mark.lacks(crun="it has no events")
def test_what_is_used_is_told_in_the_words_of_runc(runtime):
    runtime.bundle().linux["resources"] |= {"pids": {"limit": 30}, "memory": {"limit": 32 * MIB}}
    runtime.ok("run", "--detach", "c")
    event = json.loads(runtime.ok("events", "--stats", "c"))
    assert (event["type"], event["id"]) == ("stats", "c")
    data = event["data"]
    assert data["pids"] == {"current": 1, "limit": 30}
    assert data["memory"]["usage"]["limit"] == 32 * MIB
    assert 0 < data["memory"]["usage"]["usage"] < 32 * MIB
    assert data["memory"]["raw"]
    assert data["cpu"]["usage"]["total"] > 0
    assert data["cpu"]["throttling"] == {} or data["cpu"]["throttling"]["periods"] == 0


@pytest.mark.lacks(crun="it has no events")
def test_events_come_at_intervals_and_end_with_the_container(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    process, following = events(runtime)
    with process:
        assert [following()["type"] for _twice in range(2)] == ["stats", "stats"]
        runtime.ok("kill", "c", "KILL")
        runtime.stopped()
        runtime.ok("delete", "c")
        process.stdout.read()
        process.wait(30)


@pytest.mark.lacks(crun="it has no events")
def test_running_out_of_memory_is_told(runtime):
    runtime.bundle("sh", "-c", HOG).linux["resources"]["memory"] = {"limit": 16 * MIB, "swap": 16 * MIB}
    runtime.ok("create", "c")
    process, following = events(runtime)
    with process:
        following()  # it watches by now
        runtime.ok("start", "c")
        assert eventually(lambda: following()["type"] == "oom")
        runtime.ok("delete", "--force", "c")
        process.stdout.read()
        process.wait(30)


def test_a_cgroup_that_another_owner_uses_is_refused_and_left_alone(ours):
    ours.bundle()
    ours.ok("run", "--detach", "c")
    ours.bundle(name="other").linux["cgroupsPath"] = f"{ours.group}/c"
    assert "another owner" in ours.fails("create", "other", name="other")
    assert ours.fails("state", "other")
    assert ours.status() == "running"


def test_a_program_is_executed_in_a_group_below(ours):
    bundle = ours.bundle()
    ours.ok("run", "--detach", "c")
    path = bundle.linux["cgroupsPath"]
    groups = ours.groups()
    below = [f"{group}/c/below/it" for group in groups]
    for group in below:
        os.makedirs(group)
        for file in ("cpuset.cpus", "cpuset.mems"):
            for directory in (os.path.dirname(group), group):
                if os.path.exists(f"{directory}/{file}"):
                    above = Path(os.path.dirname(directory), file).read_text()
                    Path(directory, file).write_text(above)
    ours.ok("exec", "--cgroup", "below/it", "--detach", "c", "sleep", "61")
    (pid,) = {int(line) for group in below for line in Path(group, "cgroup.procs").read_text().split()}
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    assert sum(line.endswith(f"{path}/below/it") for line in lines) == len(below)
    for wrong in ("none", "below/../../c", ".."):
        assert "a group below" in ours.fails("exec", "--cgroup", wrong, "c", "true")


@pytest.mark.skipif(cgroup.machine_hierarchy().version != 2, reason="a rule of version 2")
def test_a_program_is_executed_beside_the_first_where_the_group_takes_none(ours):
    """cgroup-v2, "No Internal Process Constraint": systemd in a container has given its controllers on."""
    bundle = ours.bundle()
    ours.ok("run", "--detach", "c")
    group = f"{cgroup.machine_hierarchy().v2}{bundle.linux['cgroupsPath']}"
    os.mkdir(f"{group}/below")
    Path(group, "below/cgroup.procs").write_text(str(ours.state()["pid"]))
    Path(group, "cgroup.subtree_control").write_text("+pids")
    assert ours.ok("exec", "c", "cat", "/proc/self/cgroup").strip().endswith("/below")
    assert ours.fails("exec", "--cgroup", "/", "c", "true")


def test_a_container_is_made_without_a_group_if_cgroups_are_disabled(ours):
    bundle = ours.bundle()
    ours.command.append("--cgroup-manager=disabled")
    ours.ok("run", "--detach", "c")
    assert ours.groups() == []
    pid = ours.state()["pid"]
    assert Path(f"/proc/{pid}/cgroup").read_text() == Path("/proc/self/cgroup").read_text()
    assert ours.ok("exec", "c", "echo", "it") == "it\n"
    assert bundle.linux["cgroupsPath"] not in Path(f"/proc/{pid}/cgroup").read_text()
    ours.ok("delete", "--force", "c")


def test_only_managers_of_groups_that_are_known_are_taken(ours):
    ours.bundle()
    ours.command.append("--cgroup-manager=somebody")
    assert "not 'somebody'" in ours.fails("create", "c")


@pytest.mark.lacks(**({"crun": "1.8 takes neither without the other"} if VERSION == 1 else {}))
def test_the_limit_of_memory_goes_and_takes_that_of_swap_along(runtime):
    runtime.bundle().linux["resources"]["memory"] = {"limit": 32 * MIB, "swap": 48 * MIB}
    runtime.ok("create", "c")
    runtime.ok("update", "--memory", "-1", "c")
    for first, second in (("memory.limit_in_bytes", "memory.max"), ("memory.memsw.limit_in_bytes", "memory.swap.max")):
        assert read(runtime, first, second) in ("max", "9223372036854771712")


@pytest.mark.skipif(VERSION != 1, reason="needs version 1 of cgroups")
def test_files_of_version_2_are_an_error_on_version_1(runtime):
    """config-linux, "Unified": what cannot be applied must be an error."""
    runtime.bundle().linux["resources"]["unified"] = {"memory.high": str(32 * MIB)}
    assert "invalid configuration" in runtime.fails("create", "c")
    assert runtime.fails("state", "c")


def groups_of(text):
    """/proc/PID/cgroup, cgroups(7): controller, or nothing on version 2, to path."""
    rows = [line.split(":", 2) for line in text.splitlines()]
    return {name: path for _number, names, path in rows for name in names.split(",")}


@pytest.fixture
def divided(ours):
    """A container that runs, and a group ``below`` its own."""
    bundle = ours.bundle()
    bundle.linux["namespaces"] = [row for row in bundle.linux["namespaces"] if row["type"] != "cgroup"]
    ours.ok("run", "--detach", "c")
    group = cgroup.at(f"{ours.group}/c")
    Path(group.directory("pids"), "below").mkdir()
    return ours


def test_exec_goes_into_a_group_below_that_of_the_container(divided):
    """runc-exec(8), --cgroup: of one controller, or where there are no others, of all."""
    words = ["--cgroup", "pids:below" if VERSION == 1 else "/below"]
    found = groups_of(divided.ok("exec", *words, "c", "cat", "/proc/self/cgroup"))
    assert found["pids" if VERSION == 1 else ""] == f"{divided.group}/c/below"
    if VERSION == 1:
        assert found["memory"] == f"{divided.group}/c"
    found = groups_of(divided.ok("exec", "--cgroup", "/", "c", "cat", "/proc/self/cgroup"))
    assert found["pids" if VERSION == 1 else ""] == f"{divided.group}/c"


@pytest.mark.parametrize("path", ["below/../..", "pids:nowhere", "nothing:below"])
def test_exec_goes_into_no_other_group(divided, path):
    assert "exec: cgroup" in divided.fails("exec", "--cgroup", path, "c", "true")
