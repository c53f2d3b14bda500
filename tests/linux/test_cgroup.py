"""Groups made for real, in whatever hierarchy this machine has."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from orchestra.linux import cgroup
from orchestra.linux.cgroup import Cgroup, at

VERSION = cgroup.machine_hierarchy().version
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make control groups"),
    pytest.mark.skipif(VERSION == 0, reason="no cgroup controllers are mounted"),
]
MIB = 1 << 20


@pytest.fixture
def group():
    stack = f"test-{os.getpid()}-{os.urandom(4).hex()}"
    made = at(f"/orchestra/{stack}/one")
    yield made
    made.kill()
    made.remove()
    assert not list(Path("/sys/fs/cgroup").glob(f"**/{stack}"))


def run_in(group, body):
    """Fork into the group, do ``body`` there, and return the wait status."""
    pid = group.fork()
    if pid == 0:
        try:
            group.enter()
            body()
            os._exit(0)
        finally:
            os._exit(99)
    return pid


def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


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
    pid = run_in(group, lambda: os.read(reader, 1))
    try:
        assert group.processes() in ([], [pid]) if VERSION == 1 else group.processes() == [pid]
        while group.processes() != [pid]:
            pass
        assert os.getpid() not in group.processes()
    finally:
        os.write(writer, b"x")
        assert wait(pid) == 0
        os.close(reader)
        os.close(writer)


def test_killing_reaches_everything_below_and_waits(group):
    group.create({})

    def multiply():
        os.fork()
        os.fork()
        signal.pause()

    pid = run_in(group, multiply)
    while len(group.processes()) < 4:
        pass
    for directory in directories(group):
        (directory / "below").mkdir()
    group.kill()
    assert group.processes() == []
    assert wait(pid) == -signal.SIGKILL
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
    pid = run_in(group, lambda: (os.write(writer, b"in it"), signal.pause()))
    assert os.read(reader, 5) == b"in it"
    os.close(reader)
    os.close(writer)
    assert group.create({"pids": {"limit": 9}}) == []
    assert wait(pid) == -signal.SIGKILL
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
    pid = run_in(group, lambda: bytearray(b"x") * (256 * MIB))
    assert wait(pid) == -signal.SIGKILL
    assert group.oom_kills() == 1


def test_what_this_machine_cannot_limit_is_a_warning(group):
    warnings = group.create({"memory": {"swappiness": 10}, "unified": {"nonsense.max": "1"}})
    if VERSION == 2:
        assert len(warnings) == 1
        assert "nonsense.max" in warnings[0]
    else:
        assert warnings == []


def test_a_value_that_makes_no_sense_is_an_error(group):
    with pytest.raises(OSError, match=r"pids\.max"):
        group.create({"pids": {"limit": 1 << 70}})


@pytest.mark.skipif(VERSION != 1, reason="processor sets are inherited by themselves in version 2")
def test_processor_sets_are_inherited_from_above(group):
    assert group.create({"cpu": {"cpus": "0"}}) == []
    (cpuset,) = [directory for directory in directories(group) if (directory / "cpuset.cpus").exists()]
    assert (cpuset / "cpuset.cpus").read_text() == "0\n"
    assert (cpuset / "cpuset.mems").read_text().strip()
    assert wait(run_in(group, lambda: None)) == 0


def test_no_group_limits_nothing_and_says_so():
    none = at("")
    assert type(none) is Cgroup
    assert none.create({}) == none.create({"memory": {}}) == []
    assert none.create({"devices": [{"allow": False, "access": "rwm"}]}) == []
    assert none.create({"pids": {"limit": 1}}) == ["no cgroup is mounted: resource limits are not applied"]
    none.kill()
    none.remove()
    assert (none.processes(), none.views(), none.oom_kills()) == ([], {}, 0)


def test_a_program_outlives_nobody(group):
    """Also one that is moved in from outside."""
    group.create({})
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        for directory in directories(group):
            (directory / "cgroup.procs").write_text(str(sleeper.pid))
        group.kill()
        assert sleeper.wait() == -signal.SIGKILL


def test_of_a_creation_that_was_killed_on_the_way_down_all_is_removed():
    top = f"orchestra-test-{os.getpid()}-{os.urandom(4).hex()}"
    half = at(f"/{top}/stack/one")
    tops = [directory.parent.parent for directory in directories(half)]
    for directory in tops:
        directory.mkdir()
    half.remove()
    assert not any(directory.exists() for directory in tops)
