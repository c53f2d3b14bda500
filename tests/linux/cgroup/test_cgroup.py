"""Groups made for real, in whatever hierarchy this machine has."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from pathlib import Path

import pytest

from orchestra.linux import cgroup
from orchestra.linux.cgroup import Cgroup, at, freezer
from tests.forking import fork_in
from tests.run import word

VERSION = cgroup.machine_hierarchy().version
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make control groups"),
    pytest.mark.skipif(VERSION == 0, reason="no cgroup controllers are mounted"),
]
MIB = 1 << 20


@pytest.fixture
def group():
    made = at(f"/orchestra/{word()}/one")
    yield made
    made.kill()
    made.remove()
    assert not [directory for directory in directories(made) if directory.parent.exists()]


def directories(group):
    return list(map(Path, group.views().values()))


def test_a_fresh_group_counts_and_limits(group):
    assert group.create({"memory": {"limit": 32 * MIB}, "pids": {"limit": 50}, "cpu": {"shares": 512}}) == []
    assert all(directory.is_dir() for directory in directories(group))
    (pids,) = [directory for directory in directories(group) if (directory / "pids.max").exists()]
    assert (pids / "pids.max").read_text() == "50\n"


def test_a_child_is_in_it_from_the_start(group):
    group.create({})
    reader, writer = os.pipe()
    process = fork_in(group, lambda: os.read(reader, 1))
    try:
        assert group.processes() in ([], [process.pid]) if VERSION == 1 else group.processes() == [process.pid]
        while group.processes() != [process.pid]:
            pass
        assert os.getpid() not in group.processes()
    finally:
        os.write(writer, b"x")
        assert process.wait() == 0
        os.close(reader)
        os.close(writer)


def test_killing_reaches_everything_below_and_waits(group):
    group.create({})

    def multiply():
        os.fork()
        os.fork()
        signal.pause()

    process = fork_in(group, multiply)
    while len(group.processes()) < 4:
        pass
    for directory in directories(group):
        (directory / "below").mkdir()
    group.kill()
    assert group.processes() == []
    assert process.wait() == -signal.SIGKILL
    group.remove()
    assert not any(directory.exists() for directory in directories(group))


def test_removing_twice_and_removing_nothing_is_no_error(group):
    group.remove()
    group.create({})
    group.remove()
    group.remove()


def test_a_group_left_behind_is_made_afresh(group):
    group.create({"pids": {"limit": 7}})
    reader, writer = os.pipe()
    process = fork_in(group, lambda: (os.write(writer, b"in it"), signal.pause()))
    assert os.read(reader, 5) == b"in it"
    os.close(reader)
    os.close(writer)
    assert group.create({"pids": {"limit": 9}}) == []
    assert process.wait() == -signal.SIGKILL
    (pids,) = [directory for directory in directories(group) if (directory / "pids.max").exists()]
    assert (pids / "pids.max").read_text() == "9\n"


def test_siblings_keep_their_parent(group):
    other = at(group._path.rpartition("/")[0] + "/two")
    group.create({})
    other.create({})
    group.remove()
    assert all(directory.is_dir() for directory in directories(other))
    other.remove()


def test_killing_for_want_of_memory_is_counted(group):
    group.create({"memory": {"limit": 16 * MIB, "swap": 16 * MIB}})
    assert group.oom_kills() == 0
    process = fork_in(group, lambda: bytearray(b"x") * (256 * MIB))
    assert process.wait() == -signal.SIGKILL
    assert group.oom_kills() == 1


def test_what_this_machine_cannot_limit_is_a_warning(group):
    unified = {"unified": {"nonsense.max": "1"}} if VERSION == 2 else {}
    warnings = group.create({"memory": {"swappiness": 10, "kernel": 1}, **unified})
    expected = ["memory.kernel", "memory.swappiness", "nonsense.max"] if VERSION == 2 else ["memory.kernel"]
    assert [warning.split()[0] for warning in warnings] == expected


@pytest.mark.skipif(VERSION != 1, reason="needs version 1 of cgroups")
def test_what_is_for_the_other_version_is_an_error_and_makes_nothing(group):
    with pytest.raises(OSError, match="unified"):
        group.create({"unified": {"nonsense.max": "1"}})
    assert not os.path.exists(group.directory("pids"))


def test_a_value_that_makes_no_sense_is_an_error(group):
    with pytest.raises(OSError, match=r"pids\.max"):
        group.create({"pids": {"limit": 1 << 70}})


def live_in(group):
    """A process that lives in the group until it is killed."""
    reader, writer = os.pipe()
    process = fork_in(group, lambda: (os.write(writer, b"in it"), signal.pause()))
    assert os.read(reader, 5) == b"in it"
    os.close(reader)
    os.close(writer)
    return process


def test_processes_of_another_owner_are_neither_killed_nor_joined(group):
    theirs = at(group._path, owner="/their/container")
    theirs.create({})
    process = live_in(theirs)
    ours = at(group._path, owner="/our/container")
    with pytest.raises(OSError, match="another owner") as refused:
        ours.create({"pids": {"limit": 1}})
    assert refused.value.errno == errno.EBUSY
    for stranger in (ours, at(group._path, owner="/our/container")):
        stranger.kill()
        stranger.remove()
    assert theirs.processes() == [process.pid]
    theirs.kill()
    assert process.wait() == -signal.SIGKILL
    theirs.remove()
    assert ours.processes() == []


def test_processes_in_an_unmarked_group_belong_to_others(group):
    for directory in directories(group):
        directory.mkdir(parents=True)
    if VERSION == 1:
        group._inherit_cpuset(group.directory("cpuset"))
    process = live_in(group)
    with pytest.raises(OSError, match="another owner"):
        at(group._path, owner="/our/container").create({})
    assert group.processes() == [process.pid]
    group.kill()
    assert process.wait() == -signal.SIGKILL


def test_what_an_owner_left_behind_is_made_afresh(group):
    at(group._path, owner="/our/container").create({"pids": {"limit": 7}})
    process = live_in(group)
    again = at(group._path, owner="/our/container")
    assert again.create({"pids": {"limit": 9}}) == []
    assert process.wait() == -signal.SIGKILL
    assert Path(again.directory("pids"), "pids.max").read_text() == "9\n"


def test_an_empty_group_of_another_is_taken_over(group):
    at(group._path, owner="/their/container").create({"pids": {"limit": 7}})
    assert at(group._path, owner="/our/container").create({}) == []
    assert Path(group.directory("pids"), "pids.max").read_text() == "max\n"


@pytest.mark.skipif(VERSION != 1, reason="version 2 has one tree")
def test_a_group_is_in_every_tree(group):
    group.create({})
    assert fork_in(group, check_membership).wait() == 0
    assert len(directories(group)) == len({*cgroup.machine_hierarchy().v1.values()})


@pytest.mark.skipif(VERSION != 1, reason="version 2 has one tree")
def test_a_group_may_be_only_where_it_is_counted_paused_and_limited(group):
    few = at(group._path, everywhere=False)
    few.create({"devices": [{"allow": False, "access": "rwm"}]})
    trees = cgroup.machine_hierarchy().v1
    used = [name for name in ("memory", "pids", "cpu", "cpuacct", "freezer", "devices") if name in trees]
    assert set(few.views().values()) == {f"{trees[name]}/{group._path}" for name in used}
    group.remove()
    assert not any(os.path.exists(directory) for directory in few.views().values())


def check_membership():
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    elsewhere = [names for _number, names, path in lines if names and not path.startswith("/orchestra/test-")]
    assert not elsewhere, elsewhere


NULL = {"major": 1, "minor": 3}
DISK = next(
    (
        dict(zip(("major", "minor"), map(int, number.read_text().split(":")), strict=True))
        for number in Path("/sys/block").glob("*/dev")
        if not number.parent.name.startswith(("loop", "ram"))
    ),
    None,
)
RATE = {**(DISK or NULL), "rate": 1 << 20}
DISK_TEXT = f"{RATE['major']}:{RATE['minor']}"
REAL = [
    ({"memory": {"reservation": 8 * MIB}}, "memory.soft_limit_in_bytes", "memory.low", str(8 * MIB)),
    ({"memory": {"limit": 8 * MIB, "swap": 12 * MIB}}, "memory.memsw.limit_in_bytes", None, str(12 * MIB)),
    ({"memory": {"limit": 8 * MIB, "swap": 12 * MIB}}, None, "memory.swap.max", str(4 * MIB)),
    ({"memory": {"swappiness": 3}}, "memory.swappiness", None, "3"),
    ({"memory": {"disableOOMKiller": True}}, "memory.oom_control", None, "oom_kill_disable 1"),
    ({"memory": {"useHierarchy": True}}, "memory.use_hierarchy", None, "1"),
    ({"cpu": {"shares": 512}}, "cpu.shares", None, "512"),
    ({"cpu": {"shares": 512}}, None, "cpu.weight", "20"),
    ({"cpu": {"idle": 1, "shares": 512}}, "cpu.idle", "cpu.idle", "1"),
    ({"cpu": {"quota": 40_000, "period": 80_000}}, "cpu.cfs_quota_us", None, "40000"),
    ({"cpu": {"quota": 40_000, "period": 80_000}}, None, "cpu.max", "40000 80000"),
    ({"cpu": {"quota": 40_000, "burst": 30_000}}, "cpu.cfs_burst_us", "cpu.max.burst", "30000"),
    ({"cpu": {"cpus": "0", "mems": "0"}}, "cpuset.cpus", "cpuset.cpus", "0"),
    ({"cpu": {"cpus": "0", "mems": "0"}}, "cpuset.mems", "cpuset.mems", "0"),
    ({"pids": {"limit": 40}}, "pids.max", "pids.max", "40"),
    ({"blockIO": {"throttleReadBpsDevice": [RATE]}}, "blkio.throttle.read_bps_device", None, f"{DISK_TEXT} {1 << 20}"),
    ({"blockIO": {"throttleWriteIOPSDevice": [RATE]}}, "blkio.throttle.write_iops_device", None, DISK_TEXT),
    ({"blockIO": {"throttleReadBpsDevice": [RATE]}}, None, "io.max", f"{DISK_TEXT} rbps={1 << 20}"),
    ({"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]}, None, "hugetlb.2MB.max", str(4 * MIB)),
    ({"unified": {"memory.high": str(9 * MIB)}}, None, "memory.high", str(9 * MIB)),
]
OF_THIS_VERSION = [
    (resources, file, value) for resources, *files, value in REAL for file in files[VERSION - 1 : VERSION] if file
]


@pytest.mark.parametrize(("resources", "file", "value"), OF_THIS_VERSION)
def test_a_setting_is_what_the_kernel_then_says(group, resources, file, value):
    if "blockIO" in resources and DISK is None:
        pytest.skip("there is no disk")
    group.create({})
    here = Path(group.directory(file.partition(".")[0]), file)
    if not here.exists():
        pytest.skip(f"this kernel has no {file}")
    assert group.update(resources) == []
    assert value in here.read_text()
    group.remove()
    assert group.create(resources) == []
    assert value in here.read_text()


def test_a_limit_is_raised_and_lowered_with_its_swap(group):
    def limit(size):
        assert group.update({"memory": {"limit": size, "swap": size}}) == []
        file = "memory.limit_in_bytes" if VERSION == 1 else "memory.max"
        assert Path(group.directory("memory"), file).read_text() == f"{size}\n"

    group.create({"memory": {"limit": 16 * MIB, "swap": 16 * MIB}})
    for size in (64 * MIB, 8 * MIB, 32 * MIB):
        limit(size)


@pytest.mark.skipif(VERSION != 2, reason="version 1 refuses by itself")
def test_a_limit_below_what_is_used_is_refused_when_that_is_asked_for(group):
    group.create({})
    reader, writer = os.pipe()
    process = fork_in(group, lambda: (bytearray(b"x") * (64 * MIB), os.write(writer, b"y"), signal.pause()))
    os.read(reader, 1)
    with pytest.raises(OSError, match="checkBeforeUpdate"):
        group.update({"memory": {"limit": 1 * MIB, "checkBeforeUpdate": True}})
    group.kill()
    assert process.wait() == -signal.SIGKILL


@pytest.mark.skipif(VERSION != 1, reason="processor sets are inherited by themselves in version 2")
def test_processor_sets_are_inherited_from_above(group):
    assert group.create({"cpu": {"cpus": "0"}}) == []
    (cpuset,) = [directory for directory in directories(group) if (directory / "cpuset.cpus").exists()]
    assert (cpuset / "cpuset.cpus").read_text() == "0\n"
    assert (cpuset / "cpuset.mems").read_text().strip()
    assert fork_in(group, lambda: None).wait() == 0


def test_no_group_limits_nothing_and_says_so():
    none = at("")
    assert type(none) is Cgroup
    assert none.create({}) == none.create({"memory": {}}) == []
    assert none.create({"devices": [{"allow": False, "access": "rwm"}]}) == []
    assert none.create({"pids": {"limit": 1}}) == ["no cgroup is mounted: resource limits are not applied"]
    none.kill()
    none.remove()
    assert (none.processes(), none.views(), none.oom_kills()) == ([], {}, 0)


def test_no_program_outlives_its_container(group):
    """Also one that is moved in from outside."""
    group.create({})
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        for directory in directories(group):
            (directory / "cgroup.procs").write_text(str(sleeper.pid))
        group.kill()
        assert sleeper.wait() == -signal.SIGKILL


def test_of_a_creation_that_was_killed_on_the_way_down_all_is_removed():
    top = f"orchestra-{word()}"
    half = at(f"/{top}/stack/one")
    tops = [directory.parent.parent for directory in directories(half)]
    for directory in tops:
        directory.mkdir()
    half.remove()
    assert not any(directory.exists() for directory in tops)


def test_a_group_that_is_gone_is_not_frozen_any_more(group):
    group.create({})
    freezer.freeze(group)
    assert freezer.is_frozen(group)
    freezer.thaw(group)
    assert not freezer.is_frozen(group)
    group.remove()
    freezer.thaw(group)
    assert not freezer.is_frozen(group)
