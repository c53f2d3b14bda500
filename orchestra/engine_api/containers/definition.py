"""From the body of ``POST /containers/create`` to a ``ContainerSpec``. Pure, but for what it is given.

Docker's words are in its API's reference, ``ContainerConfig``, ``HostConfig`` and ``NetworkingConfig``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from orchestra.engine_api.containers.mounts import read_mounts
from orchestra.engine_api.errors import bad_request
from orchestra.engine_api.made import ANNOTATION
from orchestra.model.container import ContainerSpec, HealthcheckSpec, Port, Restart, RestartPolicy, VolumeSource
from orchestra.model.limits import BlockIO, Device, DeviceValue, Resources, Ulimit
from orchestra.model.logging import Logging
from orchestra.model.names import ContainerName, ServiceName
from orchestra.model.sharing import Bare, Host, OfContainer, Own
from orchestra.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from orchestra.engine_api.made import Made
    from orchestra.model.container import Endpoint
    from orchestra.model.sharing import Sharing

    Body = Mapping[str, Any]

NANOSECONDS = 1_000_000_000
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
BRIDGE = "bridge"


class Surroundings(NamedTuple):
    """internal: the name of the container and its service in the stack. image: pinned. exposed: ports of the image.
    endpoints: of its networks. caller: where a client may wait to be attached. find: the id of a container by what a
    client calls it. hash: see ``config_hash``.
    """

    internal: str
    image: str
    exposed: Sequence[str]
    endpoints: tuple[Endpoint, ...]
    caller: str
    find: Callable[[str], str]
    hash: str


def check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise bad_request(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return name


def network_mode_of(host: Body) -> str:
    mode = str(host.get("NetworkMode") or "")
    return BRIDGE if mode in ("", "default") else mode


def define(made: Made, around: Surroundings) -> ContainerSpec:
    """Raises ApiError for what cannot be understood."""
    try:
        return _define(made, around)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise bad_request(f"invalid configuration: {error}") from error


def _define(made: Made, around: Surroundings) -> ContainerSpec:
    config, host = made.config, made.host_config
    if made.auto_remove and (host.get("RestartPolicy") or {}).get("Name") not in (None, "", "no"):
        raise bad_request("can't create 'AutoRemove' container with restart policy")
    check = config.get("Healthcheck") or {}
    disabled = list(check.get("Test") or ())[:1] == ["NONE"]
    stop_timeout = config.get("StopTimeout")
    return ContainerSpec(
        name=ContainerName(around.internal),
        service=ServiceName(around.internal),
        index=1,
        image=around.image,
        config_hash=around.hash,
        command=_words(config.get("Cmd")),
        entrypoint=_words(config.get("Entrypoint")),
        environment=_environment(config.get("Env") or ()),
        working_directory=config.get("WorkingDir") or "",
        user=config.get("User") or "",
        groups=tuple(map(str, host.get("GroupAdd") or ())),
        hostname=config.get("Hostname")
        or ("" if "host" in (host.get("UTSMode"), host.get("NetworkMode")) else made.name),
        domainname=config.get("Domainname") or "",
        labels={str(key): str(value) for key, value in (config.get("Labels") or {}).items()},
        annotations={**(host.get("Annotations") or {}), ANNOTATION: made.render()},
        mounts=read_mounts(config, host),
        volumes_from=tuple(_volume_source(text, around.find) for text in host.get("VolumesFrom") or ()),
        endpoints=around.endpoints,
        network_mode=_sharing(network_mode_of(host), around.find, own=True),
        pid=_sharing(host.get("PidMode") or "", around.find),
        ipc=_sharing(host.get("IpcMode") or "", around.find),
        uts=_sharing(host.get("UTSMode") or "", around.find),
        cgroup=_sharing(host.get("CgroupnsMode") or "", around.find),
        external_links=tuple(_link(text) for text in host.get("Links") or ()),
        ports=tuple(_ports(config, host, around.exposed)),
        expose=tuple(map(_port_words, config.get("ExposedPorts") or ())),
        dns=tuple(host.get("Dns") or ()),
        dns_search=tuple(host.get("DnsSearch") or ()),
        dns_options=tuple(host.get("DnsOptions") or ()),
        extra_hosts=tuple(_host(text) for text in host.get("ExtraHosts") or ()),
        healthcheck=None if disabled or not check else _healthcheck(check),
        healthcheck_disabled=disabled,
        restart=restart_of(host.get("RestartPolicy") or {}),
        stop_signal=config.get("StopSignal") or "",
        stop_grace_period=10.0 if stop_timeout is None else float(stop_timeout),
        init=bool(host.get("Init")),
        tty=bool(config.get("Tty")),
        stdin_open=bool(config.get("OpenStdin")),
        read_only=bool(host.get("ReadonlyRootfs")),
        privileged=bool(host.get("Privileged")),
        cap_add=tuple(host.get("CapAdd") or ()),
        cap_drop=tuple(host.get("CapDrop") or ()),
        security_options=tuple(host.get("SecurityOpt") or ()),
        sysctls={str(key): str(value) for key, value in (host.get("Sysctls") or {}).items()},
        ulimits=tuple(Ulimit(each["Name"], each["Soft"], each["Hard"]) for each in host.get("Ulimits") or ()),
        devices=tuple(_device(each) for each in host.get("Devices") or ()),
        shm_size=host.get("ShmSize") or None,
        oom_score_adj=host.get("OomScoreAdj") or None,
        resources=resources_of(host),
        logging=_logging(host.get("LogConfig") or {}),
        runtime="" if host.get("Runtime") in (None, "runc") else host["Runtime"],
        pull_policy="never",
        caller=around.caller,
        remove_when_ended=made.auto_remove,
    )


def _words(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return (value,)
    words = tuple(map(str, value or ()))
    return words if words not in ((), ("",)) else None


def _environment(entries: Sequence[str]) -> dict[str, str]:
    """Without those that have no value: Docker removes them."""
    return {name: value for name, equals, value in (entry.partition("=") for entry in entries) if equals}


def _sharing(text: str, find: Callable[[str], str], *, own: bool = False) -> Sharing:
    kind, colon, rest = text.partition(":")
    if kind == "container" and colon:
        return OfContainer(find(rest))
    if text == "host":
        return Host()
    if text == "none":
        return Bare()
    if not own and text not in ("", "private", "shareable"):
        raise bad_request(f"{text}: no such namespace")
    return Own()


def _volume_source(text: str, find: Callable[[str], str]) -> VolumeSource:
    name, _, mode = text.partition(":")
    return VolumeSource(OfContainer(find(name)), read_only=mode == "ro")


def _link(text: str) -> tuple[str, str]:
    container, _, alias = text.partition(":")
    return alias or container, container.removeprefix("/")


def _host(text: str) -> tuple[str, str]:
    name, separator, address = text.partition(":")
    if not separator:
        raise bad_request(f"bad format for add-host: {text!r}")
    return name, address


def _port_words(text: str) -> str:
    return text if "/" in text else f"{text}/tcp"


def _ports(config: Body, host: Body, exposed: Sequence[str]) -> list[Port]:
    bindings: Mapping[str, Any] = host.get("PortBindings") or {}
    anywhere: list[Body] = [{}]
    found = [
        _port(port, _published(each), each.get("HostIp") or "")
        for port, listed in bindings.items()
        for each in listed or anywhere
    ]
    if host.get("PublishAllPorts"):
        named = {_port_words(port) for port in bindings}
        more = dict.fromkeys(map(_port_words, (*(config.get("ExposedPorts") or ()), *exposed)))
        found += [_port(port) for port in more if port not in named]
    return found


def _port(text: str, published: int | None = None, host_ip: str = "") -> Port:
    number, _, protocol = text.partition("/")
    return Port(int(number), published, host_ip, protocol or "tcp")


def _published(binding: Body) -> int | None:
    """The first of a range; 0 is any."""
    return int(str(binding.get("HostPort") or "0").partition("-")[0]) or None


def _healthcheck(check: Body) -> HealthcheckSpec:
    kind, *rest = check.get("Test") or ("CMD",)
    return HealthcheckSpec(
        test=("/bin/sh", "-c", " ".join(rest)) if kind == "CMD-SHELL" else tuple(rest),
        interval=(check.get("Interval") or 0) / NANOSECONDS,
        timeout=(check.get("Timeout") or 0) / NANOSECONDS,
        retries=check.get("Retries") or 0,
        start_period=(check.get("StartPeriod") or 0) / NANOSECONDS,
        start_interval=(check.get("StartInterval") or 0) / NANOSECONDS,
    )


def restart_of(policy: Body) -> Restart:
    name = policy.get("Name") or "no"
    try:
        return Restart(RestartPolicy(name), policy.get("MaximumRetryCount") or None)
    except ValueError:
        raise bad_request(f"invalid restart policy: unknown policy '{name}'") from None


def _device(device: Body) -> Device:
    source = device["PathOnHost"]
    return Device(source, device.get("PathInContainer") or source, device.get("CgroupPermissions") or "rwm")


def _logging(log: Body) -> Logging:
    driver, options = log.get("Type") or "json-file", log.get("Config") or {}
    if driver not in ("json-file", "local", "none"):
        raise bad_request(f"logger: no log driver named '{driver}' is registered")
    own = Logging()
    return Logging(
        driver,
        int(parse_bytes(options["max-size"])) if "max-size" in options else own.max_size,
        int(options.get("max-file", own.max_file)),
    )


def resources_of(host: Body) -> Resources:
    """Also of ``POST /containers/{id}/update``."""
    nanos, swappiness, pids = host.get("NanoCpus"), host.get("MemorySwappiness"), host.get("PidsLimit")
    quota = host.get("CpuQuota") or 0
    return Resources(
        memory=host.get("Memory") or None,
        memory_reservation=host.get("MemoryReservation") or None,
        memory_swap=host.get("MemorySwap") or None,
        memory_swappiness=None if swappiness is None or swappiness < 0 else swappiness,
        oom_kill_disable=bool(host.get("OomKillDisable")),
        cpus=nanos / NANOSECONDS if nanos else None,
        cpu_quota=None if nanos or quota <= 0 else quota,
        cpu_period=None if nanos else host.get("CpuPeriod") or None,
        realtime_runtime=host.get("CpuRealtimeRuntime") or None,
        realtime_period=host.get("CpuRealtimePeriod") or None,
        cpu_shares=host.get("CpuShares") or None,
        cpuset=host.get("CpusetCpus") or "",
        pids=pids if pids and pids > 0 else None,
        block_io=BlockIO(
            weight=host.get("BlkioWeight") or None,
            device_weights=_device_values(host, "BlkioWeightDevice", "Weight"),
            read_bytes=_device_values(host, "BlkioDeviceReadBps"),
            read_operations=_device_values(host, "BlkioDeviceReadIOps"),
            write_bytes=_device_values(host, "BlkioDeviceWriteBps"),
            write_operations=_device_values(host, "BlkioDeviceWriteIOps"),
        ),
        device_rules=tuple(host.get("DeviceCgroupRules") or ()),
    )


def _device_values(host: Body, key: str, value: str = "Rate") -> tuple[DeviceValue, ...]:
    return tuple(DeviceValue(each["Path"], each[value]) for each in host.get(key) or ())
