"""What a config asks of resources, as files of either version."""

from __future__ import annotations

import pytest

from orchestra.linux.cgroup import find_hierarchy
from orchestra.linux.cgroup_settings import settings_v1, settings_v2
from orchestra.linux.mountinfo import Mount

MIB = 1 << 20
CASES = [
    ({}, [], []),
    (
        {"memory": {"limit": 64 * MIB, "swap": 96 * MIB, "reservation": 32 * MIB}},
        [
            ("memory.limit_in_bytes", "67108864"),
            ("memory.memsw.limit_in_bytes", "100663296"),
            ("memory.soft_limit_in_bytes", "33554432"),
        ],
        [("memory.max", "67108864"), ("memory.swap.max", "33554432"), ("memory.low", "33554432")],
    ),
    (
        {"memory": {"limit": -1, "swap": -1}},
        [("memory.limit_in_bytes", "-1"), ("memory.memsw.limit_in_bytes", "-1")],
        [("memory.max", "max"), ("memory.swap.max", "max")],
    ),
    (
        {"memory": {"swappiness": 0, "disableOOMKiller": True}},
        [("memory.swappiness", "0"), ("memory.oom_control", "1")],
        [],
    ),
    (
        {"cpu": {"shares": 1024, "quota": 50_000, "period": 100_000, "cpus": "0-1", "mems": "0"}},
        [
            ("cpu.shares", "1024"),
            ("cpu.cfs_period_us", "100000"),
            ("cpu.cfs_quota_us", "50000"),
            ("cpuset.cpus", "0-1"),
            ("cpuset.mems", "0"),
        ],
        [("cpu.weight", "39"), ("cpu.max", "50000 100000"), ("cpuset.cpus", "0-1"), ("cpuset.mems", "0")],
    ),
    ({"cpu": {"quota": -1}}, [("cpu.cfs_quota_us", "-1")], [("cpu.max", "max 100000")]),
    ({"cpu": {"shares": 2}}, [("cpu.shares", "2")], [("cpu.weight", "1")]),
    ({"cpu": {"shares": 262_144}}, [("cpu.shares", "262144")], [("cpu.weight", "10000")]),
    ({"cpu": {"cpus": ""}}, [], []),
    ({"pids": {"limit": 100}}, [("pids.max", "100")], [("pids.max", "100")]),
    ({"pids": {"limit": -1}}, [("pids.max", "max")], [("pids.max", "max")]),
    ({"unified": {"memory.high": "1"}}, [], [("memory.high", "1")]),
    (
        {"devices": [{"allow": False}, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}]},
        [("devices.deny", "a"), ("devices.allow", "c 1:3 rw")],
        [],
    ),
    ({"devices": [{"allow": True, "type": "b", "minor": -1}]}, [("devices.allow", "b *:* rwm")], []),
]


@pytest.mark.parametrize(("resources", "first", "second"), CASES)
def test_settings(resources, first, second):
    assert [(setting.file, setting.value) for setting in settings_v1(resources)] == first
    assert [(setting.file, setting.value) for setting in settings_v2(resources)] == second


def test_each_setting_names_its_controller():
    for resources, _, _ in CASES:
        for setting in (*settings_v1(resources), *settings_v2(resources)):
            assert setting.controller == setting.file.partition(".")[0]


def of(kind, point, *options):
    return Mount("/", point, kind, kind, options)


@pytest.mark.parametrize(
    ("mounts", "version", "v1", "v2"),
    [
        ([], 0, {}, ""),
        ([of("cgroup2", "/sys/fs/cgroup", "rw")], 2, {}, "/sys/fs/cgroup"),
        (
            [of("cgroup", "/c/cpu,cpuacct", "rw", "cpu", "cpuacct")],
            1,
            dict.fromkeys(("cpu", "cpuacct"), "/c/cpu,cpuacct"),
            "",
        ),
        (
            [of("cgroup", "/c/memory", "rw", "memory"), of("cgroup2", "/c/unified")],
            1,
            {"memory": "/c/memory"},
            "/c/unified",
        ),
        ([of("cgroup", "/c/systemd", "rw", "name=systemd"), of("cgroup2", "/c/unified")], 2, {}, "/c/unified"),
    ],
)
def test_what_a_machine_has(mounts, version, v1, v2):
    found = find_hierarchy(mounts)
    assert (found.version, found.v1, found.v2) == (version, v1, v2)
