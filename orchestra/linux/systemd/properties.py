"""``linux.resources`` as properties for systemd, so that it does not undo what is written directly. Pure.

Source: systemd.resource-control(5) and org.freedesktop.systemd1(5).
"""

from __future__ import annotations

from typing import Any

from orchestra.linux.cgroup.settings import convert_block_weight, convert_shares
from orchestra.linux.systemd.dbus import Variant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Property = tuple[str, Variant]

UNLIMITED = (1 << 64) - 1
SECOND = 1_000_000  # microseconds
PERIOD = 100_000
STEP = 10_000  # systemd rounds a quota per second up to 10 ms, so that a period of 100 ms has whole ones


def accounting(version: int) -> list[Property]:
    """Have systemd enable the controllers, and leave everything below the scope to us."""
    names = ["Delegate", "CPUAccounting", "MemoryAccounting", "TasksAccounting"]
    names.append("IOAccounting" if version == 2 else "BlockIOAccounting")
    return [(name, Variant("b", True)) for name in names]


def resource_properties(resources: Mapping[str, Any], version: int) -> list[Property]:
    memory, cpu = resources.get("memory") or {}, resources.get("cpu") or {}
    pids, block = resources.get("pids") or {}, resources.get("blockIO") or {}
    limit, swap, shares = memory.get("limit") or 0, memory.get("swap") or 0, cpu.get("shares") or 0
    weight = block.get("weight") or 0
    found: list[Property] = []

    def add(name: str, value: int | None) -> None:
        if value:
            found.append((name, Variant("t", UNLIMITED if value < 0 else value)))

    if version == 2:
        add("MemoryMax", limit)
        add("MemoryLow", memory.get("reservation"))
        if swap < 0 or (swap and limit > 0):
            found.append(("MemorySwapMax", Variant("t", UNLIMITED if swap < 0 else max(0, swap - limit))))
        add("CPUWeight", convert_shares(shares) if shares else None)
        add("IOWeight", convert_block_weight(weight) if weight else None)
        for name, key in (("AllowedCPUs", "cpus"), ("AllowedMemoryNodes", "mems")):
            if cpu.get(key):
                found.append((name, Variant("ay", parse_set(cpu[key]))))
    else:
        add("MemoryLimit", limit)
        add("CPUShares", shares)
        add("BlockIOWeight", weight)
    quota, period = cpu.get("quota") or 0, cpu.get("period") or 0
    if period:
        found.append(("CPUQuotaPeriodUSec", Variant("t", period)))
    if quota:
        per_second = UNLIMITED if quota < 0 else -(-quota * SECOND // (period or PERIOD) // STEP) * STEP
        found.append(("CPUQuotaPerSecUSec", Variant("t", per_second)))
    add("TasksMax", pids.get("limit"))
    return found


def parse_set(text: str) -> bytes:
    """``0-2,4`` as a bit for each number, the lowest first (cpuset(7), "List format")."""
    bits = 0
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        for number in range(int(first), int(last or first) + 1):
            bits |= 1 << number
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")
