"""Attributes that are said to Podman in the same way, each by a key or by an option of ``podman run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.translation.quadlet.unit import whole, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.translation.ledger import Given
    from orchestra.translation.quadlet.unit import Lines

_LISTS: dict[str, tuple[str, Callable[..., str]]] = {
    "dns": ("DNS", whole),
    "dns_opt": ("DNSOption", whole),
    "dns_search": ("DNSSearch", whole),
    "group_add": ("GroupAdd", whole),
    "cap_add": ("AddCapability", words),
    "cap_drop": ("DropCapability", words),
}
_MAPPINGS = {"labels": "Label", "annotations": "Annotation", "sysctls": "Sysctl"}
_VALUES = {
    "hostname": "HostName",
    "shm_size": "ShmSize",
    "stop_signal": "StopSignal",
    "user": "User",
    "working_dir": "WorkingDir",
}
_OPTIONS = {
    "cgroup": "cgroupns",
    "cpu_period": "cpu-period",
    "cpu_quota": "cpu-quota",
    "cpu_rt_period": "cpu-rt-period",
    "cpu_rt_runtime": "cpu-rt-runtime",
    "cpu_shares": "cpu-shares",
    "cpuset": "cpuset-cpus",
    "mem_swappiness": "memory-swappiness",
    "memswap_limit": "memory-swap",
    "oom_score_adj": "oom-score-adj",
    "platform": "platform",
    "userns_mode": "userns",
    "uts": "uts",
}
_FLAGS = {
    "oom_kill_disable": "oom-kill-disable",
    "privileged": "privileged",
    "stdin_open": "interactive",
    "tty": "tty",
}
_LOG_DRIVERS = {
    "json-file": "k8s-file",
    "local": "k8s-file",
    "k8s-file": "k8s-file",
    "journald": "journald",
    "none": "none",
}
_LOG_OPTIONS = frozenset({"max-size", "path", "tag"})
_RATES = {
    "device_read_bps": "device-read-bps",
    "device_read_iops": "device-read-iops",
    "device_write_bps": "device-write-bps",
    "device_write_iops": "device-write-iops",
}


def add_options(service: Given, lines: Lines) -> None:
    for name, (key, write) in _LISTS.items():
        lines.add(key, *(write(text) for text in service.take(name)))
    for name, key in _MAPPINGS.items():
        lines.add(key, *(words(f"{label}={value}") for label, value in (service.take(name) or {}).items()))
    for name, key in _VALUES.items():
        value = service.take(name)
        if value:
            lines.add(key, whole(int(value) if name == "shm_size" else value))
    for name, option in _OPTIONS.items():
        value = service.take(name)
        if value is not None:
            lines.option(option, int(value) if name == "memswap_limit" else value)
    for name, option in _FLAGS.items():
        if service.take(name):
            lines.option(option)
    _add_switches(service, lines)
    _add_lists(service, lines)
    _add_logging(service, lines)
    _add_block_io(service, lines)


def _add_switches(service: Given, lines: Lines) -> None:
    if service.take("read_only"):
        # Podman would put file systems of its own at /run and /tmp.
        lines.add("ReadOnly", "true")
        lines.add("ReadOnlyTmpfs", "false")
    init = service.take("init")
    if init is not None:
        lines.add("RunInit", "true" if init else "false")
    runtime = service.take("runtime")
    if runtime:
        lines.add("GlobalArgs", words(f"--runtime={runtime}"))
    grace = service.peek("stop_grace_period")
    service.take("stop_grace_period")
    if grace is not None:
        seconds = -(-grace // 1_000_000_000)
        lines.add("StopTimeout", str(seconds))
        if seconds * 1_000_000_000 != grace:
            service.approximate("stop_grace_period", f"Podman counts in whole seconds: it becomes {seconds}s")


def _add_lists(service: Given, lines: Lines) -> None:
    lines.add("ExposeHostPort", *(whole(text) for text in service.take("expose")))
    for text in service.take("extra_hosts"):
        name, address = text.replace("=", ":", 1).split(":", 1)
        lines.add("AddHost", whole(f"{name}:{address}"))
    for name, limit in (service.take("ulimits") or {}).items():
        both = limit if isinstance(limit, int) else f"{limit.soft}:{limit.hard}"
        lines.add("Ulimit", whole(f"{name}={both}"))
    for text in service.take("security_opt"):
        lines.option("security-opt", text.replace(":", "=", 1) if "=" not in text.partition(":")[0] else text)
    for text in service.take("device_cgroup_rules"):
        lines.option("device-cgroup-rule", text)
    for name, value in (service.take("storage_opt") or {}).items():
        lines.option("storage-opt", f"{name}={value}")
    for device in service.each("devices"):
        source, target, permissions = (device.take(name) for name in ("source", "target", "permissions"))
        lines.add("AddDevice", words(f"{source}:{target or source}:{permissions}"))


def _add_logging(service: Given, lines: Lines) -> None:
    logging = service.below("logging")
    if logging is None:
        return
    driver = logging.peek("driver")
    if driver in _LOG_DRIVERS:
        logging.take("driver")
        lines.add("LogDriver", _LOG_DRIVERS[driver])
    for name, value in (logging.peek("options") or {}).items():
        path = (*logging.path, "options", name)
        if name in _LOG_OPTIONS:
            service.ledger.use(path)
            lines.add("LogOpt", words(f"{name}={value}"))
        else:
            service.ledger.lose(path, "is not an option of Podman's logs")


def _add_block_io(service: Given, lines: Lines) -> None:
    settings = service.below("blkio_config")
    if settings is None:
        return
    if weight := settings.take("weight"):
        lines.option("blkio-weight", weight)
    for entry in settings.each("weight_device"):
        lines.option("blkio-weight-device", f"{entry.take('path')}:{entry.take('weight')}")
    for name, option in _RATES.items():
        for entry in settings.each(name):
            lines.option(option, f"{entry.take('path')}:{int(entry.take('rate'))}")
