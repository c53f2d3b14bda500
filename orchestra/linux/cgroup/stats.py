"""Usage of a control group in the format of ``runc events``: numbers of both versions in one shape."""

from __future__ import annotations

import os
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.linux.cgroup import Cgroup

HUGE_PAGES = "/sys/kernel/mm/hugepages"
NANOSECONDS = {"usage_usec": "total", "user_usec": "user", "system_usec": "kernel"}


def load_stats(group: Cgroup) -> dict[str, Any]:
    """Leaves out what cannot be read because a controller is missing."""
    return {
        "cpu": _cpu(group.directory("cpuacct"), group.directory("cpu")),
        "memory": _memory(group.directory("memory")),
        "pids": _limited(group.directory("pids"), "pids.current", "pids.max"),
        "blkio": _block(group.directory("blkio")),
        "hugetlb": _huge(group.directory("hugetlb")),
    }


def _cpu(account: str, directory: str) -> dict[str, Any]:
    usage: dict[str, Any] = {}
    throttling = _table(f"{directory}/cpu.stat")
    for key, name in NANOSECONDS.items():
        if key in throttling:
            usage[name] = throttling[key] * 1000
    total = _number(f"{account}/cpuacct.usage")
    if total is not None:
        usage = {"total": total}
        for key, name in (("usage_user", "user"), ("usage_sys", "kernel")):
            usage[name] = _number(f"{account}/cpuacct.{key}") or 0
        usage["percpu"] = [int(word) for word in _read(f"{account}/cpuacct.usage_percpu").split()]
    periods = {
        "periods": throttling.get("nr_periods", 0),
        "throttledPeriods": throttling.get("nr_throttled", 0),
        "throttledTime": throttling.get("throttled_time", throttling.get("throttled_usec", 0) * 1000),
    }
    return {"usage": usage, "throttling": periods}


MEMORY_V1 = {"usage": "memory", "swap": "memory.memsw", "kernel": "memory.kmem", "kernelTCP": "memory.kmem.tcp"}
COUNTS_V1 = {"usage": "usage_in_bytes", "limit": "limit_in_bytes", "max": "max_usage_in_bytes", "failcnt": "failcnt"}
COUNTS_V2 = {"usage": "memory.current", "limit": "memory.max", "max": "memory.peak"}
SWAP_V2 = {"usage": "memory.swap.current", "limit": "memory.swap.max", "max": "memory.swap.peak"}


def _memory(directory: str) -> dict[str, Any]:
    """In version 1 ``swap`` is memory and swap together, so it is here in version 2 too."""
    raw = _table(f"{directory}/memory.stat")
    found: dict[str, Any] = {"cache": raw.get("cache", raw.get("file", 0)), "raw": raw}
    for name, prefix in MEMORY_V1.items():
        counts = _numbers(directory, {key: f"{prefix}.{file}" for key, file in COUNTS_V1.items()})
        if counts:
            found[name] = counts
    if "usage" not in found:
        found["usage"] = _numbers(directory, COUNTS_V2)
        swap = _numbers(directory, SWAP_V2)
        found["swap"] = {
            name: value + found["usage"][name]
            for name, value in swap.items()
            if name != "max" and name in found["usage"]
        }
    return found


def _numbers(directory: str, files: dict[str, str]) -> dict[str, int]:
    values = {name: _number(f"{directory}/{file}") for name, file in files.items()}
    return {name: value for name, value in values.items() if value is not None}


def _limited(directory: str, current: str, limit: str) -> dict[str, int]:
    return _numbers(directory, {"current": current, "limit": limit})


def _huge(directory: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for size in _huge_sizes():
        files = {"usage": "usage_in_bytes", "max": "max_usage_in_bytes", "failcnt": "failcnt"}
        counts = _numbers(directory, {name: f"hugetlb.{size}.{file}" for name, file in files.items()})
        counts = counts or _numbers(directory, {"usage": f"hugetlb.{size}.current"})
        if counts:
            found[size] = counts
    return found


def _huge_sizes() -> list[str]:
    """As in the names of the controller's files: 2MB, 1GB."""
    try:
        sizes = [int(name.removeprefix("hugepages-").removesuffix("kB")) for name in os.listdir(HUGE_PAGES)]
    except FileNotFoundError:
        return []
    return [f"{size >> 20}GB" if size >= 1 << 20 else f"{size >> 10}MB" for size in sorted(sizes) if size >= 1 << 10]


BLOCK_V1 = {"ioServiceBytesRecursive": "io_service_bytes", "ioServicedRecursive": "io_serviced"}
BLOCK_V2 = {
    "ioServiceBytesRecursive": {"rbytes": "Read", "wbytes": "Write"},
    "ioServicedRecursive": {"rios": "Read", "wios": "Write"},
}


def _block(directory: str) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {}
    for name, file in BLOCK_V1.items():
        # What a scheduler counts for its weights, or what is counted for throttling.
        for kind in ("bfq", "throttle"):
            rows = [line.split() for line in _read(f"{directory}/blkio.{kind}.{file}_recursive").splitlines()]
            found[name] = [_block_row(row[0], row[1], int(row[2])) for row in rows if len(row) == 3]
            if found[name]:
                break
    for line in _read(f"{directory}/io.stat").splitlines():
        device, *pairs = line.split()
        values = dict(pair.split("=", 1) for pair in pairs)
        for name, words in BLOCK_V2.items():
            found[name] += [
                _block_row(device, operation, int(values[key])) for key, operation in words.items() if key in values
            ]
    return {name: rows for name, rows in found.items() if rows}


def _block_row(device: str, operation: str, value: int) -> dict[str, Any]:
    major, _, minor = device.partition(":")
    return {"major": int(major), "minor": int(minor), "op": operation, "value": value}


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _number(path: str) -> int | None:
    """None also for ``max``, which means no limit."""
    text = _read(path).strip()
    return int(text) if text.isdigit() else None


def _table(path: str) -> dict[str, int]:
    found = {}
    for line in _read(path).splitlines():
        name, _, value = line.partition(" ")
        if value.isdigit():
            found[name] = int(value)
    return found
