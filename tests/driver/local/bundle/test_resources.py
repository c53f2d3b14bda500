"""Limits of memory, CPU and processes, and which devices may be used."""

from __future__ import annotations

import pytest

from orchestra.driver.local.bundle.world import HostDevice, HostFacts
from orchestra.errors import FatalError
from orchestra.linux.cgroup.settings import settings_v1, settings_v2
from orchestra.model.limits import BlockIO, Device, DeviceValue, Resources
from tests.driver.local.bundle.containers import render

MIB = 1 << 20


def limits(host=None, **resources):
    found = render(resources=Resources(**resources), host=host or HostFacts())["linux"]["resources"]
    return {key: value for key, value in found.items() if key != "devices"}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, {}),
        ({"memory": 64 * MIB}, {"memory": {"limit": 64 * MIB, "swap": 128 * MIB}}),
        ({"memory": 64 * MIB, "memory_swap": 0}, {"memory": {"limit": 64 * MIB, "swap": 128 * MIB}}),
        ({"memory": 64 * MIB, "memory_swap": 64 * MIB}, {"memory": {"limit": 64 * MIB, "swap": 64 * MIB}}),
        ({"memory": 64 * MIB, "memory_swap": -1}, {"memory": {"limit": 64 * MIB, "swap": -1}}),
        ({"memory_swap": -1}, {"memory": {"swap": -1}}),
        ({"memory_reservation": 32 * MIB}, {"memory": {"reservation": 32 * MIB}}),
        ({"cpus": 1.5}, {"cpu": {"quota": 150_000, "period": 100_000}}),
        ({"cpus": 0.29}, {"cpu": {"quota": 29_000, "period": 100_000}}),
        ({"cpu_shares": 512, "cpuset": "0-1"}, {"cpu": {"shares": 512, "cpus": "0-1"}}),
        ({"cpu_quota": 20_000}, {"cpu": {"quota": 20_000}}),
        ({"cpu_quota": 20_000, "cpu_period": 50_000}, {"cpu": {"quota": 20_000, "period": 50_000}}),
        (
            {"realtime_runtime": 9_000, "realtime_period": 90_000},
            {"cpu": {"realtimeRuntime": 9_000, "realtimePeriod": 90_000}},
        ),
        ({"memory_swappiness": 0}, {"memory": {"swappiness": 0}}),
        ({"oom_kill_disable": True}, {"memory": {"disableOOMKiller": True}}),
        ({"pids": 10}, {"pids": {"limit": 10}}),
        ({"block_io": BlockIO(weight=300)}, {"blockIO": {"weight": 300}}),
    ],
)
def test_limits(resources, expected):
    assert limits(**resources) == expected


def test_without_swap_accounting_swap_is_limited_only_when_asked():
    host = HostFacts(swap_accounting=False)
    assert limits(host, memory=64 * MIB) == {"memory": {"limit": 64 * MIB}}
    assert limits(host, memory=64 * MIB, memory_swap=96 * MIB) == {"memory": {"limit": 64 * MIB, "swap": 96 * MIB}}


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"memory": MIB}, "a memory limit of 1048576 bytes is too small"),
        ({"memory": 64 * MIB, "memory_swap": 32 * MIB}, "memswap_limit is lower than mem_limit"),
        ({"memory_swap": 32 * MIB}, "memswap_limit needs mem_limit"),
        ({"memory": 64 * MIB, "memory_reservation": 65 * MIB}, "mem_reservation is higher"),
        ({"cpus": 0.001}, "0.001 CPUs is too low"),
    ],
)
def test_limits_that_make_no_sense(resources, message):
    with pytest.raises(FatalError, match=f"service web: {message}") as caught:
        limits(**resources)
    assert caught.value.hint


def test_devices_of_block_io_are_given_by_number():
    wanted = BlockIO(
        device_weights=(DeviceValue("/dev/disk", 200),),
        read_bytes=(DeviceValue("/dev/disk", MIB),),
        read_operations=(DeviceValue("/dev/disk", 1),),
        write_bytes=(DeviceValue("/dev/disk", 2 * MIB),),
        write_operations=(DeviceValue("/dev/disk", 2),),
    )
    number = {"major": 7, "minor": 7}
    assert limits(HOST, block_io=wanted) == {
        "blockIO": {
            "weightDevice": [{**number, "weight": 200}],
            "throttleReadBpsDevice": [{**number, "rate": MIB}],
            "throttleReadIOPSDevice": [{**number, "rate": 1}],
            "throttleWriteBpsDevice": [{**number, "rate": 2 * MIB}],
            "throttleWriteIOPSDevice": [{**number, "rate": 2}],
        }
    }


@pytest.mark.parametrize("path", ["/dev/none", "/dev/fuse", "/dev/snd"])
def test_what_is_no_block_device_has_no_rate(path):
    with pytest.raises(FatalError, match=f"service web: block device {path} does not exist"):
        limits(HOST, block_io=BlockIO(read_bytes=(DeviceValue(path, MIB),)))


def test_rules_for_devices_come_behind_those_of_the_devices():
    resources = Resources(device_rules=("c 13:* rw", "a *:* m"))
    rules = render(resources=resources, devices=(Device("/dev/fuse", "/dev/fuse"),), host=HOST)["linux"]["resources"]
    assert rules["devices"][-2:] == [
        {"allow": True, "type": "c", "major": 13, "access": "rw"},
        {"allow": True, "type": "a", "access": "m"},
    ]
    assert rules["devices"][-3]["major"] == FUSE.major


def test_both_versions_of_cgroups_apply_the_settings():
    resources = render(resources=Resources(memory=64 * MIB, cpus=0.5, pids=9))["linux"]["resources"]
    one = {setting.file: setting.value for setting in settings_v1(resources)}
    assert one["memory.memsw.limit_in_bytes"] == str(128 * MIB)
    assert [setting.value for setting in settings_v1(resources) if setting.controller == "devices"][:4] == [
        "a",
        "c *:* m",
        "b *:* m",
        "c 1:3 rwm",
    ]
    two = {setting.file: setting.value for setting in settings_v2(resources)}
    assert two == {
        "memory.max": str(64 * MIB),
        "memory.swap.max": str(64 * MIB),
        "cpu.max": "50000 100000",
        "pids.max": "9",
    }


FUSE = HostDevice("/dev/fuse", "c", 10, 229, 0o666)
DISK = HostDevice("/dev/loop7", "b", 7, 7, 0o660, 0, 6)
SND = (HostDevice("/dev/snd/seq", "c", 116, 1), HostDevice("/dev/snd/deep/timer", "c", 116, 33))
HOST = HostFacts(devices={"/dev/fuse": (FUSE,), "/dev/disk": (DISK,), "/dev/snd": SND}, every_device=(FUSE, DISK, *SND))


def node(path, device):
    return {
        "path": path,
        "type": device.kind,
        "major": device.major,
        "minor": device.minor,
        "fileMode": device.mode,
        "uid": device.uid,
        "gid": device.gid,
    }


@pytest.mark.parametrize(
    ("device", "nodes", "rules"),
    [
        (
            Device("/dev/fuse", "/dev/fuse"),
            [node("/dev/fuse", FUSE)],
            [{"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"}],
        ),
        (
            Device("/dev/disk", "/dev/xvda", "r"),
            [node("/dev/xvda", DISK)],
            [{"allow": True, "type": "b", "major": 7, "minor": 7, "access": "r"}],
        ),
        (
            Device("/dev/snd", "/dev/sound/", "rw"),
            [node("/dev/sound/seq", SND[0]), node("/dev/sound/deep/timer", SND[1])],
            [
                {"allow": True, "type": "c", "major": 116, "minor": 1, "access": "rw"},
                {"allow": True, "type": "c", "major": 116, "minor": 33, "access": "rw"},
            ],
        ),
    ],
)
def test_devices(device, nodes, rules):
    linux = render(devices=(device,), host=HOST)["linux"]
    assert linux["devices"] == nodes
    assert linux["resources"]["devices"][12:] == rules


def test_a_privileged_container_has_every_device_and_those_it_names():
    linux = render(privileged=True, devices=(Device("/dev/fuse", "/dev/other"),), host=HOST)["linux"]
    paths = [entry["path"] for entry in linux["devices"]]
    assert paths == ["/dev/fuse", "/dev/loop7", "/dev/snd/seq", "/dev/snd/deep/timer", "/dev/other"]


@pytest.mark.parametrize(
    ("device", "message"),
    [
        (Device("/dev/missing", "/dev/missing"), "device /dev/missing does not exist on this machine"),
        (Device("vendor.com/gpu=all", "vendor.com/gpu=all"), "the device vendor.com/gpu=all is not a path"),
        (Device("/dev/fuse", "fuse"), "the device path fuse in the container is not absolute"),
        (Device("/dev/fuse", "/dev/fuse", "rx"), "unknown permissions rx of /dev/fuse"),
        (Device("/dev/fuse", "/dev/fuse", ""), "unknown permissions  of /dev/fuse"),
    ],
)
def test_devices_that_cannot_be_had(device, message):
    with pytest.raises(FatalError, match=f"service web: {message}") as caught:
        render(devices=(device,), host=HOST)
    assert caught.value.hint
