"""Limits of a container: resources, block devices, ulimits, and the devices that it gets. Standard library only."""

from __future__ import annotations

from orchestra.record import Record


class DeviceValue(Record):
    """path: of a block device on the host; value: its weight, or its rate in bytes or operations per second."""

    path: str
    value: int


class BlockIO(Record):
    """weight: 10 to 1000, None for the default."""

    weight: int | None = None
    device_weights: tuple[DeviceValue, ...] = ()
    read_bytes: tuple[DeviceValue, ...] = ()
    read_operations: tuple[DeviceValue, ...] = ()
    write_bytes: tuple[DeviceValue, ...] = ()
    write_operations: tuple[DeviceValue, ...] = ()


class Resources(Record):
    """Limits of one container; None means none. cpus is in cores, weights as Docker's --cpu-shares (1024 is one).

    cpu_quota, cpu_period: microseconds, where there are no cpus; realtime_runtime, realtime_period: likewise, for
    programs with real-time scheduling. device_rules: ``TYPE MAJOR:MINOR ACCESS``, beyond those of the devices.
    """

    memory: int | None = None
    memory_reservation: int | None = None
    memory_swap: int | None = None
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    cpus: float | None = None
    cpu_quota: int | None = None
    cpu_period: int | None = None
    realtime_runtime: int | None = None
    realtime_period: int | None = None
    cpu_shares: int | None = None
    cpuset: str = ""
    pids: int | None = None
    block_io: BlockIO = BlockIO()
    device_rules: tuple[str, ...] = ()


class Ulimit(Record):
    name: str
    soft: int
    hard: int


class Device(Record):
    source: str
    target: str
    permissions: str = "rwm"
