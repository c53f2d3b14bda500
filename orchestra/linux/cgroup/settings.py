"""``linux.resources`` of an OCI config as a list of files to write into a control group. Pure.

Sources: the kernel's admin-guide/cgroup-v1 and cgroup-v2, and the OCI runtime spec, config-linux. 0 means that nothing
is set, as callers of runc and crun expect, unless 0 is a valid value: swappiness, idle, burst.
"""

from __future__ import annotations

from errno import EINVAL

from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    Row = tuple[str, str | int | None]

DEFAULT_PERIOD = 100_000  # microseconds
THROTTLES = {
    "throttleReadBpsDevice": ("blkio.throttle.read_bps_device", "rbps"),
    "throttleWriteBpsDevice": ("blkio.throttle.write_bps_device", "wbps"),
    "throttleReadIOPSDevice": ("blkio.throttle.read_iops_device", "riops"),
    "throttleWriteIOPSDevice": ("blkio.throttle.write_iops_device", "wiops"),
}
IGNORED: dict[int, dict[tuple[str, ...], str]] = {
    1: {
        ("memory", "kernel"): "the kernel limits its own memory with the rest",
    },
    2: {
        ("memory", "kernel"): "the kernel limits its own memory with the rest",
        ("memory", "kernelTCP"): "the kernel limits its own memory with the rest",
        ("memory", "swappiness"): "cgroup version 2 has no swappiness",
        ("memory", "disableOOMKiller"): "cgroup version 2 always kills",
        ("cpu", "realtimeRuntime"): "cgroup version 2 divides no real time",
        ("cpu", "realtimePeriod"): "cgroup version 2 divides no real time",
        ("blockIO", "leafWeight"): "cgroup version 2 has no leaves with a weight",
        ("network",): "cgroup version 2 marks no packets",
    },
}


class Setting(NamedTuple):
    """``value`` is written to ``file`` of a group; ``controller`` must be available for it.

    otherwise: an alternative if this kernel has no such file. optional: ignore a missing file.
    """

    controller: str
    file: str
    value: str
    otherwise: Setting | None = None
    optional: bool = False


def settings_v1(resources: Mapping[str, Any]) -> list[Setting]:
    """In an order that a new group accepts: memory before memory and swap. Raises SystemCallError for ``unified``."""
    if resources.get("unified"):
        raise _invalid("unified", "invalid configuration: it is for version 2 of cgroups, and here is version 1")
    memory, cpu = resources.get("memory") or {}, resources.get("cpu") or {}
    limit, swap = memory.get("limit") or None, memory.get("swap") or None
    idle = cpu.get("idle")
    found = _settings(
        ("memory.use_hierarchy", 1 if memory.get("useHierarchy") else None),
        ("memory.limit_in_bytes", limit),
        # With unlimited memory, an old limit of memory and swap together must not remain.
        ("memory.memsw.limit_in_bytes", -1 if limit == -1 and swap is None else swap),
        ("memory.soft_limit_in_bytes", memory.get("reservation") or None),
        ("memory.kmem.tcp.limit_in_bytes", memory.get("kernelTCP") or None),
        ("memory.swappiness", memory.get("swappiness")),
        ("memory.oom_control", _flag(memory.get("disableOOMKiller"))),
        # An idle group accepts no shares.
        ("cpu.idle", idle if idle == 0 else None),
        ("cpu.shares", None if idle else cpu.get("shares") or None),
        ("cpu.idle", idle or None),
        ("cpu.cfs_period_us", cpu.get("period") or None),
        ("cpu.cfs_quota_us", cpu.get("quota") or None),
        ("cpu.cfs_burst_us", cpu.get("burst")),
        ("cpu.rt_period_us", cpu.get("realtimePeriod") or None),
        ("cpu.rt_runtime_us", cpu.get("realtimeRuntime") or None),
        ("cpuset.cpus", cpu.get("cpus") or None),
        ("cpuset.mems", cpu.get("mems") or None),
        ("pids.max", _pids(resources)),
        *_hugetlb(resources, "limit_in_bytes"),
        *_rdma(resources),
    )
    found += _block_v1(resources.get("blockIO") or {})
    network = resources.get("network") or {}
    found += _settings(
        ("net_cls.classid", network.get("classID") or None),
        *(("net_prio.ifpriomap", f"{row['name']} {row['priority']}") for row in network.get("priorities") or ()),
    )
    for rule in resources.get("devices") or ():
        found += _settings(("devices.allow" if rule.get("allow") else "devices.deny", _device(rule)))
    return found


def settings_v2(resources: Mapping[str, Any]) -> list[Setting]:
    """Values of version 1 are converted as runc and crun do: shares, swap, and weights of block I/O.

    Raises SystemCallError for a setting without a counterpart.
    """
    memory, cpu = resources.get("memory") or {}, resources.get("cpu") or {}
    quota, period, shares, idle = cpu.get("quota"), cpu.get("period"), cpu.get("shares"), cpu.get("idle")
    bandwidth = None
    if quota or period:
        bandwidth = f"{quota if quota and quota > 0 else 'max'} {period or DEFAULT_PERIOD}"
    found = _settings(
        ("memory.max", _or_max(memory.get("limit"))),
        ("memory.swap.max", _swap(memory)),
        ("memory.low", _or_max(memory.get("reservation"))),
        ("cpu.idle", idle if idle == 0 else None),
        ("cpu.weight", None if idle or not shares else convert_shares(shares)),
        ("cpu.idle", idle or None),
        ("cpu.max", bandwidth),
        ("cpu.max.burst", cpu.get("burst")),
        ("cpuset.cpus", cpu.get("cpus") or None),
        ("cpuset.mems", cpu.get("mems") or None),
        ("pids.max", _pids(resources)),
        *_hugetlb(resources, "max"),
        *_rdma(resources),
    )
    found += _block_v2(resources.get("blockIO") or {})
    for file, value in (resources.get("unified") or {}).items():
        if "/" in file or "." not in file:
            raise _invalid(f"unified.{file}", "it is not the name of a file of a control group")
        # The kernel takes one line at a time, such as one device's.
        found += [Setting(file.partition(".")[0], file, line) for line in value.splitlines() or [""]]
    return found


def ignored(resources: Mapping[str, Any], version: int) -> list[str]:
    """Sentences about settings for which this version has no file at all."""
    found = []
    for path, reason in IGNORED[version].items():
        value: Any = resources
        for key in path:
            value = (value or {}).get(key)
        if value or (path[-1] == "swappiness" and value is not None):
            found.append(f"{'.'.join(path)} is not applied: {reason}")
    if (resources.get("memory") or {}).get("useHierarchy") is False:
        found.append("memory.useHierarchy is not applied: the kernel always counts what is below a group")
    return found


def convert_shares(shares: int) -> int:
    """cpu.shares, 2 to 262144, as cpu.weight, 1 to 10000."""
    return 1 + (max(2, min(shares, 262_144)) - 2) * 9999 // 262_142


def convert_block_weight(weight: int) -> int:
    """blkio.weight, 10 to 1000, as io.weight, 1 to 10000."""
    return 1 + (weight - 10) * 9999 // 990


def _settings(*rows: Row) -> list[Setting]:
    return [
        Setting(file.partition(".")[0], file, str(value), optional=".rsvd." in file)
        for file, value in rows
        if value is not None
    ]


def _flag(value: bool | None) -> int | None:
    return None if value is None else int(value)


def _pids(resources: Mapping[str, Any]) -> int | str | None:
    return _or_max((resources.get("pids") or {}).get("limit"))


def _or_max(value: int | None) -> int | str | None:
    return "max" if value and value < 0 else value or None


def _swap(memory: Mapping[str, Any]) -> int | str | None:
    """Version 1 limits memory and swap together, version 2 swap by itself."""
    limit, swap = memory.get("limit") or 0, memory.get("swap") or 0
    if swap < 0 or (limit < 0 and not swap):
        return "max"
    if not swap:
        return None
    if limit <= 0:
        raise _invalid("memory.swap", "it is memory and swap together, and there is no memory.limit")
    if swap < limit:
        raise _invalid("memory.swap", "it is memory and swap together, and less than memory.limit")
    return swap - limit


def _hugetlb(resources: Mapping[str, Any], limit: str) -> Iterator[Row]:
    for row in resources.get("hugepageLimits") or ():
        yield f"hugetlb.{row['pageSize']}.{limit}", row["limit"]
        # Also limits what is reserved but not used yet; not every kernel counts it.
        yield f"hugetlb.{row['pageSize']}.rsvd.{limit}", row["limit"]


def _rdma(resources: Mapping[str, Any]) -> Iterator[Row]:
    for device, row in (resources.get("rdma") or {}).items():
        words = (("hca_handle", row.get("hcaHandles")), ("hca_object", row.get("hcaObjects")))
        yield "rdma.max", " ".join([device, *(f"{name}={value}" for name, value in words if value is not None)])


def _number(row: Mapping[str, Any]) -> str:
    return f"{row['major']}:{row['minor']}"


def _first_of(value: str | int, file: str, other: str, other_value: str | int) -> Setting:
    (otherwise,), (setting,) = _settings((other, other_value)), _settings((file, value))
    return setting._replace(otherwise=otherwise)


def _block_v1(block: Mapping[str, Any]) -> list[Setting]:
    """The weights are those of the scheduler CFQ, or of BFQ if there is no CFQ."""
    found = []
    if block.get("weight"):
        found.append(_first_of(block["weight"], "blkio.weight", "blkio.bfq.weight", block["weight"]))
    found += _settings(("blkio.leaf_weight", block.get("leafWeight") or None))
    for row in block.get("weightDevice") or ():
        if row.get("weight"):
            text = f"{_number(row)} {row['weight']}"
            found.append(_first_of(text, "blkio.weight_device", "blkio.bfq.weight_device", text))
        if row.get("leafWeight"):
            found += _settings(("blkio.leaf_weight_device", f"{_number(row)} {row['leafWeight']}"))
    for key, (file, _name) in THROTTLES.items():
        found += _settings(*((file, f"{_number(row)} {row['rate']}") for row in block.get(key) or ()))
    return found


def _block_v2(block: Mapping[str, Any]) -> list[Setting]:
    """BFQ accepts the weights of version 1; other schedulers have a range of their own."""
    found = []
    weight = block.get("weight")
    if weight:
        found.append(_first_of(weight, "io.bfq.weight", "io.weight", f"default {convert_block_weight(weight)}"))
    for row in block.get("weightDevice") or ():
        if row.get("weight"):
            other = f"{_number(row)} {convert_block_weight(row['weight'])}"
            found.append(_first_of(f"{_number(row)} {row['weight']}", "io.bfq.weight", "io.weight", other))
    for key, (_file, name) in THROTTLES.items():
        for row in block.get(key) or ():
            found += _settings(("io.max", f"{_number(row)} {name}={row['rate'] or 'max'}"))
    return found


def _device(rule: Mapping[str, Any]) -> str:
    major, minor = (
        "*" if number is None or number < 0 else number for number in (rule.get("major"), rule.get("minor"))
    )
    kind = rule.get("type") or "a"
    return "a" if kind == "a" and major == minor == "*" else f"{kind} {major}:{minor} {rule.get('access') or 'rwm'}"


def _invalid(field: str, problem: str) -> SystemCallError:
    return SystemCallError(EINVAL, "config", f"linux.resources.{field}", problem)
