"""What a config asks of resources, as files of either version."""

from __future__ import annotations

import pytest

from orchestra.linux.cgroup import find_hierarchy
from orchestra.linux.cgroup.settings import convert_block_weight, ignored, settings_v1, settings_v2
from orchestra.linux.mounts.mountinfo import Mount

MIB = 1 << 20
CASES = [
    ({}, [], []),
    (
        {"memory": {"limit": 0}, "cpu": {"shares": 0, "quota": 0}, "pids": {"limit": 0}, "blockIO": {"weight": 0}},
        [],
        [],
    ),
    (
        {"memory": {"limit": 64 * MIB, "swap": 96 * MIB, "reservation": 32 * MIB}},
        [
            "memory.limit_in_bytes 67108864",
            "memory.memsw.limit_in_bytes 100663296",
            "memory.soft_limit_in_bytes 33554432",
        ],
        ["memory.max 67108864", "memory.swap.max 33554432", "memory.low 33554432"],
    ),
    (
        {"memory": {"limit": 64 * MIB, "swap": 64 * MIB}},
        ["memory.limit_in_bytes 67108864", "memory.memsw.limit_in_bytes 67108864"],
        ["memory.max 67108864", "memory.swap.max 0"],
    ),
    (
        {"memory": {"limit": 64 * MIB, "swap": -1}},
        ["memory.limit_in_bytes 67108864", "memory.memsw.limit_in_bytes -1"],
        ["memory.max 67108864", "memory.swap.max max"],
    ),
    (
        {"memory": {"limit": -1}},
        ["memory.limit_in_bytes -1", "memory.memsw.limit_in_bytes -1"],
        ["memory.max max", "memory.swap.max max"],
    ),
    ({"memory": {"reservation": -1}}, ["memory.soft_limit_in_bytes -1"], ["memory.low max"]),
    (
        {"memory": {"swappiness": 0, "disableOOMKiller": True, "useHierarchy": True, "kernel": 1, "kernelTCP": 1}},
        [
            "memory.use_hierarchy 1",
            "memory.kmem.tcp.limit_in_bytes 1",
            "memory.swappiness 0",
            "memory.oom_control 1",
        ],
        [],
    ),
    ({"memory": {"disableOOMKiller": False}}, ["memory.oom_control 0"], []),
    (
        {"cpu": {"shares": 1024, "quota": 50_000, "period": 100_000, "burst": 10_000, "cpus": "0-1", "mems": "0"}},
        [
            "cpu.shares 1024",
            "cpu.cfs_period_us 100000",
            "cpu.cfs_quota_us 50000",
            "cpu.cfs_burst_us 10000",
            "cpuset.cpus 0-1",
            "cpuset.mems 0",
        ],
        ["cpu.weight 39", "cpu.max 50000 100000", "cpu.max.burst 10000", "cpuset.cpus 0-1", "cpuset.mems 0"],
    ),
    ({"cpu": {"quota": -1}}, ["cpu.cfs_quota_us -1"], ["cpu.max max 100000"]),
    ({"cpu": {"period": 50_000}}, ["cpu.cfs_period_us 50000"], ["cpu.max max 50000"]),
    ({"cpu": {"shares": 2}}, ["cpu.shares 2"], ["cpu.weight 1"]),
    ({"cpu": {"shares": 262_144}}, ["cpu.shares 262144"], ["cpu.weight 10000"]),
    ({"cpu": {"cpus": ""}}, [], []),
    ({"cpu": {"shares": 512, "idle": 1}}, ["cpu.idle 1"], ["cpu.idle 1"]),
    ({"cpu": {"shares": 512, "idle": 0}}, ["cpu.idle 0", "cpu.shares 512"], ["cpu.idle 0", "cpu.weight 20"]),
    (
        {"cpu": {"realtimeRuntime": 950_000, "realtimePeriod": 1_000_000}},
        ["cpu.rt_period_us 1000000", "cpu.rt_runtime_us 950000"],
        [],
    ),
    ({"pids": {"limit": 100}}, ["pids.max 100"], ["pids.max 100"]),
    ({"pids": {"limit": -1}}, ["pids.max max"], ["pids.max max"]),
    (
        {"blockIO": {"weight": 500, "leafWeight": 300}},
        ["blkio.weight 500 or blkio.bfq.weight 500", "blkio.leaf_weight 300"],
        ["io.bfq.weight 500 or io.weight default 4950"],
    ),
    (
        {"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 10, "leafWeight": 20}]}},
        ["blkio.weight_device 8:0 10 or blkio.bfq.weight_device 8:0 10", "blkio.leaf_weight_device 8:0 20"],
        ["io.bfq.weight 8:0 10 or io.weight 8:0 1"],
    ),
    (
        {
            "blockIO": {
                "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
                "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 0}],
                "throttleReadIOPSDevice": [{"major": 8, "minor": 16, "rate": 300}],
                "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 301}],
            }
        },
        [
            "blkio.throttle.read_bps_device 8:0 600",
            "blkio.throttle.write_bps_device 8:0 0",
            "blkio.throttle.read_iops_device 8:16 300",
            "blkio.throttle.write_iops_device 8:16 301",
        ],
        ["io.max 8:0 rbps=600", "io.max 8:0 wbps=max", "io.max 8:16 riops=300", "io.max 8:16 wiops=301"],
    ),
    (
        {"hugepageLimits": [{"pageSize": "2MB", "limit": 9}]},
        ["hugetlb.2MB.limit_in_bytes 9", "hugetlb.2MB.rsvd.limit_in_bytes 9 if there"],
        ["hugetlb.2MB.max 9", "hugetlb.2MB.rsvd.max 9 if there"],
    ),
    (
        {"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10_000}, "mlx4_0": {"hcaObjects": 1_000}}},
        ["rdma.max mlx5_1 hca_handle=3 hca_object=10000", "rdma.max mlx4_0 hca_object=1000"],
        ["rdma.max mlx5_1 hca_handle=3 hca_object=10000", "rdma.max mlx4_0 hca_object=1000"],
    ),
    (
        {"network": {"classID": 1_048_577, "priorities": [{"name": "eth0", "priority": 500}]}},
        ["net_cls.classid 1048577", "net_prio.ifpriomap eth0 500"],
        [],
    ),
    (
        {"devices": [{"allow": False}, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}]},
        ["devices.deny a", "devices.allow c 1:3 rw"],
        [],
    ),
    ({"devices": [{"allow": True, "type": "b", "minor": -1}]}, ["devices.allow b *:* rwm"], []),
]
IGNORED = [
    ({}, [], []),
    ({"memory": {"limit": 1}, "cpu": {"shares": 1}, "network": {}, "unified": {}}, [], []),
    (
        {"memory": {"kernel": 1, "kernelTCP": 1}},
        ["memory.kernel"],
        ["memory.kernel", "memory.kernelTCP"],
    ),
    ({"memory": {"swappiness": 0}}, [], ["memory.swappiness"]),
    ({"memory": {"disableOOMKiller": True}}, [], ["memory.disableOOMKiller"]),
    ({"memory": {"disableOOMKiller": False}}, [], []),
    ({"memory": {"useHierarchy": False}}, ["memory.useHierarchy"], ["memory.useHierarchy"]),
    ({"cpu": {"realtimeRuntime": 1}}, [], ["cpu.realtimeRuntime"]),
    ({"blockIO": {"leafWeight": 10}}, [], ["blockIO.leafWeight"]),
    ({"network": {"classID": 1}}, [], ["network"]),
]
IMPOSSIBLE = [
    ({"memory": {"swap": 1}}, "no memory.limit"),
    ({"memory": {"limit": 2, "swap": 1}}, "less than memory.limit"),
    ({"unified": {"../cgroup.procs": "1"}}, "not the name of a file"),
]


def text(setting):
    said = f"{setting.file} {setting.value}{' if there' if setting.optional else ''}"
    return f"{said} or {text(setting.otherwise)}" if setting.otherwise else said


@pytest.mark.parametrize(("resources", "first", "second"), CASES)
def test_settings(resources, first, second):
    assert [text(setting) for setting in settings_v1(resources)] == first
    assert [text(setting) for setting in settings_v2(resources)] == second


@pytest.mark.parametrize(("resources", "first", "second"), IGNORED)
def test_what_a_version_has_no_file_for_is_said(resources, first, second):
    for version, expected in ((1, first), (2, second)):
        assert [sentence.split()[0] for sentence in ignored(resources, version)] == expected


@pytest.mark.parametrize(("resources", "reason"), IMPOSSIBLE)
def test_what_cannot_be_converted_is_refused(resources, reason):
    with pytest.raises(OSError, match=reason):
        settings_v2(resources)


def test_files_of_version_2_by_name():
    unified = {"memory.high": "1", "io.max": "8:0 rbps=1\n8:16 rbps=2"}
    lines = ["memory.high 1", "io.max 8:0 rbps=1", "io.max 8:16 rbps=2"]
    assert [text(setting) for setting in settings_v2({"unified": unified})] == lines
    with pytest.raises(OSError, match="for version 2"):
        settings_v1({"unified": unified})


@pytest.mark.parametrize(("weight", "converted"), [(10, 1), (100, 910), (1000, 10_000)])
def test_the_range_of_a_weight_of_block_io(weight, converted):
    assert convert_block_weight(weight) == converted


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
