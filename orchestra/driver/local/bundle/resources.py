"""Limits of a container's cgroup, and the devices it may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.driver.local.bundle.world import HostDevice, HostFacts
    from orchestra.model.container import ContainerSpec
    from orchestra.model.limits import BlockIO, Device, DeviceValue

PERIOD = 100_000  # microseconds, over which a quota of CPU time counts
LEAST_MEMORY = 6 << 20
LEAST_CPUS = 0.01

# After "deny all": nodes may be made of any device, those every container has may be used.
# null, zero, full, random, urandom, tty, console, ptmx, and terminals of devpts.
DEVICE_RULES: tuple[tuple[str, int | None, int | None, str], ...] = (
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    ("c", 1, 3, "rwm"),
    ("c", 1, 5, "rwm"),
    ("c", 1, 7, "rwm"),
    ("c", 1, 8, "rwm"),
    ("c", 1, 9, "rwm"),
    ("c", 5, 0, "rwm"),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, None, "rwm"),
)


def render_resources(spec: ContainerSpec, host: HostFacts) -> dict[str, Any]:
    resources = spec.resources
    found: dict[str, Any] = {"devices": _device_rules(spec, host)}
    memory = _memory(spec, host)
    if memory:
        found["memory"] = memory
    cpu: dict[str, Any] = {}
    if resources.cpus:
        if resources.cpus < LEAST_CPUS:
            raise FatalError(f"service {spec.service}: {resources.cpus} CPUs is too low", hint="the minimum is 0.01")
        cpu |= {"quota": round(resources.cpus * PERIOD), "period": PERIOD}
    rows = {
        "quota": resources.cpu_quota,
        "period": resources.cpu_period,
        "realtimeRuntime": resources.realtime_runtime,
        "realtimePeriod": resources.realtime_period,
        "shares": resources.cpu_shares,
        "cpus": resources.cpuset,
    }
    cpu |= {name: value for name, value in rows.items() if value}
    if cpu:
        found["cpu"] = cpu
    if resources.pids:
        found["pids"] = {"limit": resources.pids}
    block = _block_io(spec, host)
    if block:
        found["blockIO"] = block
    return found


def _block_io(spec: ContainerSpec, host: HostFacts) -> dict[str, Any]:
    block = spec.resources.block_io

    def rows(name: str, values: tuple[DeviceValue, ...]) -> list[dict[str, int]]:
        nodes = ((_block_device(entry.path, spec, host), entry.value) for entry in values)
        return [{"major": node.major, "minor": node.minor, name: value} for node, value in nodes]

    found = {
        "weight": block.weight,
        "weightDevice": rows("weight", block.device_weights),
        "throttleReadBpsDevice": rows("rate", block.read_bytes),
        "throttleReadIOPSDevice": rows("rate", block.read_operations),
        "throttleWriteBpsDevice": rows("rate", block.write_bytes),
        "throttleWriteIOPSDevice": rows("rate", block.write_operations),
    }
    return {name: value for name, value in found.items() if value}


def block_devices(block: BlockIO) -> tuple[str, ...]:
    """The paths of all devices that are named."""
    every = (block.device_weights, block.read_bytes, block.read_operations, block.write_bytes, block.write_operations)
    return tuple(entry.path for values in every for entry in values)


def _block_device(path: str, spec: ContainerSpec, host: HostFacts) -> HostDevice:
    nodes = host.devices.get(path, ())
    if len(nodes) != 1 or nodes[0].kind != "b":
        message = f"service {spec.service}: block device {path} does not exist on this machine"
        raise FatalError(message, hint="`blkio_config` applies to whole disks, such as /dev/sda")
    return nodes[0]


def _memory(spec: ContainerSpec, host: HostFacts) -> dict[str, Any]:
    """``memory_swap`` is memory and swap together, -1 for no limit; by default twice the memory."""
    resources = spec.resources
    limit, swap, reservation = resources.memory, resources.memory_swap, resources.memory_reservation
    if limit and limit < LEAST_MEMORY:
        raise FatalError(
            f"service {spec.service}: a memory limit of {limit} bytes is too small", hint="the minimum is 6m"
        )
    if reservation and limit and reservation > limit:
        message = f"service {spec.service}: mem_reservation is higher than mem_limit"
        raise FatalError(message, hint="lower mem_reservation or raise mem_limit")
    if swap and swap > 0:
        if not limit:
            raise FatalError(f"service {spec.service}: memswap_limit needs mem_limit", hint="set mem_limit too")
        if swap < limit:
            message = f"service {spec.service}: memswap_limit is lower than mem_limit"
            raise FatalError(message, hint="memswap_limit is the sum of memory and swap")
    elif not swap and limit and host.swap_accounting:
        swap = 2 * limit
    values: dict[str, Any] = {"limit": limit, "swap": max(swap, -1) if swap else None, "reservation": reservation}
    values = {name: value for name, value in values.items() if value}
    if resources.memory_swappiness is not None:
        values["swappiness"] = resources.memory_swappiness
    if resources.oom_kill_disable:
        values["disableOOMKiller"] = True
    return values


def _device_rules(spec: ContainerSpec, host: HostFacts) -> list[dict[str, Any]]:
    if spec.privileged:
        return [{"allow": True, "access": "rwm"}]
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    rows = list(DEVICE_RULES)
    rows += [(node.kind, node.major, node.minor, access) for _path, node, access in _wanted(spec, host)]
    for kind, major, minor, access in dict.fromkeys(rows):
        rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
        rule |= {} if major is None else {"major": major}
        rule |= {} if minor is None else {"minor": minor}
        rules.append(rule)
    return rules + [_parse_rule(text) for text in spec.resources.device_rules]


def _parse_rule(text: str) -> dict[str, Any]:
    """``TYPE MAJOR:MINOR ACCESS``, in which ``*`` stands for every number."""
    kind, numbers, access = text.split()
    major, _, minor = numbers.partition(":")
    named = {name: int(number) for name, number in (("major", major), ("minor", minor)) if number != "*"}
    return {"allow": True, "type": kind, **named, "access": access}


def render_devices(spec: ContainerSpec, host: HostFacts) -> list[dict[str, Any]]:
    """The nodes to make: those that the file names, and for a privileged container all of the host's."""
    nodes = {node.path: node for node in host.every_device} if spec.privileged else {}
    nodes |= {path: node for path, node, _access in _wanted(spec, host)}
    return [
        {
            "path": path,
            "type": node.kind,
            "major": node.major,
            "minor": node.minor,
            "fileMode": node.mode,
            "uid": node.uid,
            "gid": node.gid,
        }
        for path, node in nodes.items()
    ]


def _wanted(spec: ContainerSpec, host: HostFacts) -> Iterator[tuple[str, HostDevice, str]]:
    """Path in the container, node on the host, and what it may be used for."""
    for device in spec.devices:
        _check(device, spec)
        nodes = host.devices.get(device.source, ())
        if not nodes:
            message = f"service {spec.service}: device {device.source} does not exist on this machine"
            raise FatalError(message, hint="write HOST[:CONTAINER[:PERMISSIONS]]")
        for node in nodes:
            below = node.path.removeprefix(device.source) if node.path.startswith(f"{device.source}/") else ""
            yield f"{device.target.rstrip('/')}{below}", node, device.permissions


def _check(device: Device, spec: ContainerSpec) -> None:
    if not device.source.startswith("/"):
        message = f"service {spec.service}: the device {device.source} is not a path"
        raise FatalError(message, hint="begin it with a slash, or write a CDI name: VENDOR/CLASS=NAME")
    if not device.target.startswith("/"):
        message = f"service {spec.service}: the device path {device.target} in the container is not absolute"
        raise FatalError(message, hint="begin it with a slash")
    if not device.permissions or set(device.permissions) - set("rwm"):
        message = f"service {spec.service}: unknown permissions {device.permissions} of {device.source}"
        raise FatalError(message, hint="use the letters r, w and m: read, write, mknod")
