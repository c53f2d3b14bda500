"""What a control group has used so far, in the words of ``runc events``: numbers of both versions in one shape."""

from __future__ import annotations

from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.linux.cgroup import Cgroup

NANOSECONDS = {"usage_usec": "total", "user_usec": "user", "system_usec": "kernel"}


def load_stats(group: Cgroup) -> dict[str, Any]:
    """What cannot be read, because a controller is not there, is left out."""
    return {
        "cpu": _cpu(group.directory("cpuacct"), group.directory("cpu")),
        "memory": _memory(group.directory("memory")),
        "pids": _limited(group.directory("pids"), "pids.current", "pids.max"),
        "blkio": _block(group.directory("blkio")),
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


def _memory(directory: str) -> dict[str, Any]:
    raw = _table(f"{directory}/memory.stat")
    usage: dict[str, Any] = {}
    for name, files in {
        "usage": ("memory.usage_in_bytes", "memory.current"),
        "limit": ("memory.limit_in_bytes", "memory.max"),
        "max": ("memory.max_usage_in_bytes", "memory.peak"),
        "failcnt": ("memory.failcnt",),
    }.items():
        for file in files:
            value = _number(f"{directory}/{file}")
            if value is not None:
                usage[name] = value
    return {"usage": usage, "cache": raw.get("cache", raw.get("file", 0)), "raw": raw}


def _limited(directory: str, current: str, limit: str) -> dict[str, Any]:
    found = {"current": _number(f"{directory}/{current}"), "limit": _number(f"{directory}/{limit}")}
    return {name: value for name, value in found.items() if value is not None}


def _block(directory: str) -> dict[str, Any]:
    rows = []
    for line in _read(f"{directory}/blkio.throttle.io_service_bytes").splitlines():
        words = line.split()
        if len(words) == 3:
            rows.append(_block_row(words[0], words[1], int(words[2])))
    for line in _read(f"{directory}/io.stat").splitlines():
        device, *pairs = line.split()
        for key, _, value in (pair.partition("=") for pair in pairs):
            if key in ("rbytes", "wbytes"):
                rows.append(_block_row(device, "Read" if key == "rbytes" else "Write", int(value)))
    return {"ioServiceBytesRecursive": rows} if rows else {}


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
    """None as well for ``max``, which means no limit."""
    text = _read(path).strip()
    return int(text) if text.isdigit() else None


def _table(path: str) -> dict[str, int]:
    found = {}
    for line in _read(path).splitlines():
        name, _, value = line.partition(" ")
        if value.isdigit():
            found[name] = int(value)
    return found
