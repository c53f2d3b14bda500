"""systemd as the manager of control groups: scopes where it runs, and the reason why not elsewhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestra.linux import cgroup
from orchestra.oci_cli.fault import VARIABLE
from tests.oci_cli.conftest import ALL, OURS, eventually, make

RUNS = os.path.isdir("/run/systemd/system")
VERSION = cgroup.machine_hierarchy().version
MIB = 1 << 20
needs_systemd = pytest.mark.skipif(not RUNS, reason="needs systemd as the first process")


def with_systemd(request, tmp_path, tree):
    for runtime in make(request, tmp_path, tree):
        runtime.command = [*runtime.command, "--systemd-cgroup"]
        yield runtime


@pytest.fixture(params=ALL)
def runtime(request, tmp_path, tree):
    yield from with_systemd(request, tmp_path, tree)


@pytest.fixture(params=[OURS])
def ours(request, tmp_path, tree):
    yield from with_systemd(request, tmp_path, tree)


def bundle(runtime, *args, **resources):
    made = runtime.bundle(*args)
    name = f"t{os.getpid()}x{os.urandom(3).hex()}"
    made.linux["cgroupsPath"] = f"orchestratest-sub.slice:test:{name}"
    made.linux["resources"] |= resources
    return f"test-{name}.scope"


def show(unit, *properties):
    words = ["systemctl", "show", unit, *(f"--property={name}" for name in properties)]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def is_there(unit):
    return show(unit, "LoadState")["LoadState"] == "loaded"


def group(unit):
    return Path(
        "/sys/fs/cgroup" + ("/memory" if VERSION == 1 else ""), "orchestratest.slice/orchestratest-sub.slice", unit
    )


@needs_systemd
def test_a_container_is_a_scope_with_its_limits(runtime):
    unit = bundle(
        runtime,
        memory={"limit": 32 * MIB},
        cpu={"shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0"},
        pids={"limit": 50},
    )
    runtime.ok("run", "--detach", "c")
    pid = runtime.state()["pid"]
    assert show(unit, "ActiveState", "Slice") == {"ActiveState": "active", "Slice": "orchestratest-sub.slice"}
    assert f"/orchestratest.slice/orchestratest-sub.slice/{unit}" in Path(f"/proc/{pid}/cgroup").read_text()
    told = show(unit, "MemoryMax" if VERSION == 2 else "MemoryLimit").popitem()[1]
    assert told == str(32 * MIB) or runtime.name == "crun"  # some versions of it tell of no memory
    assert show(unit, "TasksMax", "CPUQuotaPerSecUSec", "Delegate") == {
        "TasksMax": "50",
        "CPUQuotaPerSecUSec": "500ms",
        "Delegate": "yes",
    }
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    file = "memory.limit_in_bytes" if VERSION == 1 else "memory.max"
    assert runtime.name == "crun" or (group(unit) / file).read_text() == f"{32 * MIB}\n"
    runtime.ok("delete", "--force", "c")
    eventually(lambda: not is_there(unit))
    assert not group(unit).exists()


@needs_systemd
def test_annotations_are_properties_of_the_scope(runtime):
    """As runc and crun have it; podman and CRI-O ask for some."""
    unit = bundle(runtime)
    runtime.bundles["c"].config["annotations"] = {
        "org.systemd.property.TimeoutStopUSec": "uint64 7000000",
        "org.systemd.property.CollectMode": "'inactive-or-failed'",
    }
    runtime.ok("run", "--detach", "c")
    told = {"TimeoutStopUSec": "7s", "CollectMode": "inactive-or-failed"}
    assert show(unit, "TimeoutStopUSec", "CollectMode") == told


@needs_systemd
def test_only_the_container_is_left_in_its_scope(ours):
    unit = bundle(ours)
    ours.ok("create", "c")
    pid = ours.state()["pid"]
    assert cgroup.at(
        f"orchestratest-sub.slice:test:{unit.removeprefix('test-').removesuffix('.scope')}"
    ).processes() == [pid]
    ours.ok("start", "c")
    assert ours.ok("exec", "c", "cat", "/proc/self/cgroup")
    assert ours.status() == "running"


@pytest.mark.lacks(crun="some versions of it tell of no memory")
@needs_systemd
def test_an_update_reaches_systemd_too(runtime):
    unit = bundle(runtime, memory={"limit": 32 * MIB})
    runtime.ok("run", "--detach", "c")
    runtime.ok("update", "--memory", str(48 * MIB), "c")
    assert show(unit, "MemoryMax" if VERSION == 2 else "MemoryLimit").popitem()[1] == str(48 * MIB)


@needs_systemd
def test_a_container_that_ends_takes_its_scope_along(runtime):
    unit = bundle(runtime, "true")
    runtime.ok("run", "c")
    eventually(lambda: not is_there(unit))


@needs_systemd
@pytest.mark.parametrize("point", ["cgroup", "fork", "created", "recorded"])
def test_a_creation_that_is_killed_leaves_what_can_be_removed(ours, point):
    unit = bundle(ours)
    assert ours("create", "c", env={VARIABLE: point}).returncode < 0
    ours.ok("delete", "--force", "c")
    eventually(lambda: not is_there(unit))
    assert not group(unit).exists()
    assert os.listdir(ours.root) == []


@needs_systemd
def test_a_scope_that_exists_is_not_joined(ours):
    unit = bundle(ours)
    other = subprocess.Popen(["systemd-run", "--scope", f"--unit={unit}", "sleep", "60"], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: is_there(unit))
        assert ours.fails("create", "c")
        assert other.poll() is None
    finally:
        subprocess.run(["systemctl", "stop", unit], check=True)
        other.wait()


@pytest.mark.skipif(RUNS, reason="systemd runs here")
def test_without_systemd_it_is_refused_with_the_reason(ours):
    bundle(ours)
    assert "no systemd runs here" in ours.fails("create", "c")
    assert ours.fails("state", "c")


def test_a_path_that_names_no_scope_is_refused(ours):
    ours.bundle().linux["cgroupsPath"] = "/some/where"
    assert "SLICE:PREFIX:NAME" in ours.fails("create", "c")


def test_a_scope_needs_to_be_asked_for(ours):
    bundle(ours)
    ours.command.remove("--systemd-cgroup")
    assert "--systemd-cgroup" in ours.fails("create", "c")
