"""What an OCI config asks of ``linux.resources``, as a list of files to be written into a control group. Pure.

Sources: the kernel's admin-guide/cgroup-v1 and cgroup-v2, and the OCI runtime spec, config-linux.
"""

from __future__ import annotations

from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Setting(NamedTuple):
    """``value`` is to be written to ``file`` of a group; ``controller`` must be at hand for it."""

    controller: str
    file: str
    value: str


def settings_v1(resources: Mapping[str, Any]) -> list[Setting]:
    """In an order that a fresh group accepts: memory before memory and swap."""
    memory = resources.get("memory") or {}
    cpu = resources.get("cpu") or {}
    pids = resources.get("pids") or {}
    rows = (
        ("memory", "memory.limit_in_bytes", memory.get("limit")),
        ("memory", "memory.memsw.limit_in_bytes", memory.get("swap")),
        ("memory", "memory.soft_limit_in_bytes", memory.get("reservation")),
        ("memory", "memory.swappiness", memory.get("swappiness")),
        ("memory", "memory.oom_control", 1 if memory.get("disableOOMKiller") else None),
        ("cpu", "cpu.shares", cpu.get("shares")),
        ("cpu", "cpu.cfs_period_us", cpu.get("period")),
        ("cpu", "cpu.cfs_quota_us", cpu.get("quota")),
        ("cpuset", "cpuset.cpus", cpu.get("cpus") or None),
        ("cpuset", "cpuset.mems", cpu.get("mems") or None),
        ("pids", "pids.max", _or_max(pids.get("limit"))),
    )
    found = [Setting(controller, file, str(value)) for controller, file, value in rows if value is not None]
    for rule in resources.get("devices") or ():
        file = "devices.allow" if rule.get("allow") else "devices.deny"
        found.append(Setting("devices", file, _device(rule)))
    return found


def settings_v2(resources: Mapping[str, Any]) -> list[Setting]:
    """Shares become a weight by the formula of the runtime spec's v2 mapping; swap counts without the memory."""
    memory = resources.get("memory") or {}
    cpu = resources.get("cpu") or {}
    pids = resources.get("pids") or {}
    limit, swap = memory.get("limit"), memory.get("swap")
    shares, quota, period = cpu.get("shares"), cpu.get("quota"), cpu.get("period")
    swap_only = None if swap is None else "max" if swap < 0 else swap - (limit if limit and limit > 0 else 0)
    bandwidth = None
    if quota is not None or period is not None:
        bandwidth = f"{quota if quota is not None and quota > 0 else 'max'} {period or 100_000}"
    rows = (
        ("memory", "memory.max", _or_max(limit)),
        ("memory", "memory.swap.max", swap_only),
        ("memory", "memory.low", _or_max(memory.get("reservation"))),
        ("cpu", "cpu.weight", None if not shares else 1 + (max(2, min(shares, 262_144)) - 2) * 9999 // 262_142),
        ("cpu", "cpu.max", bandwidth),
        ("cpuset", "cpuset.cpus", cpu.get("cpus") or None),
        ("cpuset", "cpuset.mems", cpu.get("mems") or None),
        ("pids", "pids.max", _or_max(pids.get("limit"))),
    )
    found = [Setting(controller, file, str(value)) for controller, file, value in rows if value is not None]
    for file, value in (resources.get("unified") or {}).items():
        found.append(Setting(file.partition(".")[0], file, value))
    return found


def _or_max(value: int | None) -> int | str | None:
    return "max" if value is not None and value <= 0 else value


def _device(rule: Mapping[str, Any]) -> str:
    major, minor = (
        "*" if number is None or number < 0 else number for number in (rule.get("major"), rule.get("minor"))
    )
    kind = rule.get("type") or "a"
    return "a" if kind == "a" and major == minor == "*" else f"{kind} {major}:{minor} {rule.get('access') or 'rwm'}"
