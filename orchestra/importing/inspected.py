"""What ``docker inspect`` prints of containers: https://docs.docker.com/reference/api/engine/version/v1.41/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.importing.compose_file import Imported, escaped, full, render
from orchestra.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.importing.compose_file import Service
    from orchestra.importing.part import Book, Part

_SERVICE, _PROJECT = "com.docker.compose.service", "com.docker.compose.project"
_NEEDS = "com.docker.compose.depends_on"
_TOOLS = ("com.docker.compose.", "io.orchestra.", "desktop.docker.io/", "org.opencontainers.image.")
_BRIDGES = ("bridge", "default")
_STATE = (
    *("AppArmorProfile", "Args", "Created", "Driver", "ExecIDs", "GraphDriver", "HostnamePath", "HostsPath", "Id"),
    *("Image", "ImageManifestDescriptor", "LogPath", "MountLabel", "NetworkSettings", "Path", "Platform"),
    *("ProcessLabel", "ResolvConfPath", "RestartCount", "SizeRootFs", "SizeRw", "State", "Storage"),
)
_DEFAULTS: Mapping[tuple[str, ...], tuple[Any, ...]] = {
    ("HostConfig", "CgroupnsMode"): ("private", "host"),
    ("HostConfig", "ConsoleSize"): ((0, 0),),
    ("HostConfig", "IpcMode"): ("private", "shareable"),
    ("HostConfig", "LogConfig", "Type"): ("json-file", "journald"),
    ("HostConfig", "MemorySwappiness"): (-1,),
    ("HostConfig", "PidsLimit"): (-1, 0),
    ("HostConfig", "Runtime"): ("runc",),
    ("HostConfig", "ShmSize"): (64 << 20,),
}
_SHOWN_ELSEWHERE = ("MaskedPaths", "ReadonlyPaths", "Binds", "Mounts", "BindOptions", "AutoRemove", "ContainerIDFile")
_LISTS = {
    "CapAdd": "cap_add",
    "CapDrop": "cap_drop",
    "Dns": "dns",
    "DnsOptions": "dns_opt",
    "DnsSearch": "dns_search",
    "ExtraHosts": "extra_hosts",
    "GroupAdd": "group_add",
    "SecurityOpt": "security_opt",
}
_VALUES = {
    "CpusetCpus": "cpuset",
    "CpuShares": "cpu_shares",
    "CpuQuota": "cpu_quota",
    "CpuPeriod": "cpu_period",
    "Memory": "mem_limit",
    "MemoryReservation": "mem_reservation",
    "MemorySwap": "memswap_limit",
    "PidsLimit": "pids_limit",
    "OomScoreAdj": "oom_score_adj",
    "ShmSize": "shm_size",
    "Runtime": "runtime",
    "Privileged": "privileged",
    "ReadonlyRootfs": "read_only",
    "Init": "init",
    "PidMode": "pid",
    "IpcMode": "ipc",
    "UTSMode": "uts",
    "UsernsMode": "userns_mode",
    "Sysctls": "sysctls",
}


def convert(book: Book) -> Imported:
    """book: a document whose ``containers`` is what was printed."""
    sections: dict[str, dict[str, Any]] = {"services": {}, "networks": {}, "volumes": {}}
    projects = set()
    for container in book.whole.each("containers"):
        labels = container.at("Config", "Labels").value or {}
        projects.add(labels.get(_PROJECT, ""))
        name = labels.get(_SERVICE) or str(container.take("Name") or f"service{container.path[-1]}").strip("/")
        while name in sections["services"]:
            name += "-2"
        sections["services"][name] = _service(container, name, sections)
    project = projects.pop() if len(projects) == 1 else ""
    return Imported(text=render(sections, project), losses=book.settle())


def _service(container: Part, name: str, sections: dict[str, dict[str, Any]]) -> Service:
    for key in (*_STATE, "Name"):
        container.take(key)
    config, host = container.at("Config"), container.at("HostConfig")
    for path, defaults in _DEFAULTS.items():
        if container.at(*path).value in defaults:
            container.take(*path)
    for key in _SHOWN_ELSEWHERE:
        host.take(key)
    identity = str(container.value.get("Id") or "")[:12]
    hostname = config.take("Hostname")
    for key in ("AttachStdin", "AttachStdout", "AttachStderr", "OnBuild", "ArgsEscaped", "StdinOnce", "Volumes"):
        config.take(key)
    labels = {key: value for key, value in (config.take("Labels") or {}).items() if not key.startswith(_TOOLS)}
    made = full(
        image=escaped(config.take("Image")),
        container_name=None if (container.at("Config", "Labels").value or {}).get(_SERVICE) else name,
        command=escaped(config.take("Cmd")),
        entrypoint=escaped(config.take("Entrypoint")),
        environment=escaped(config.take("Env")),
        labels={key: escaped(value) for key, value in labels.items()},
        hostname=None if hostname == identity else hostname,
        domainname=config.take("Domainname"),
        user=config.take("User"),
        working_dir=config.take("WorkingDir"),
        tty=config.take("Tty"),
        stdin_open=config.take("OpenStdin"),
        stop_signal=config.take("StopSignal"),
        stop_grace_period=_with_unit(config.take("StopTimeout"), "s"),
        healthcheck=_healthcheck(config.at("Healthcheck")),
        ports=_ports(host),
        expose=_exposed(config, host),
        volumes=_volumes(container, sections["volumes"]),
        tmpfs=[":".join(filter(None, pair)) for pair in (host.take("Tmpfs") or {}).items()],
        restart=_restart(host.at("RestartPolicy")),
        logging=_logging(host.at("LogConfig")),
        ulimits={
            limit.take("Name"): {"soft": limit.take("Soft"), "hard": limit.take("Hard")}
            for limit in host.each("Ulimits")
        },
        devices=[
            ":".join(filter(None, (one.take("PathOnHost"), one.take("PathInContainer"), one.take("CgroupPermissions"))))
            for one in host.each("Devices")
        ],
        depends_on=_needs(container.at("Config", "Labels").value or {}),
        cpus=(host.take("NanoCpus") or 0) / 1e9,
        **_network(container, name, sections["networks"]),
    )
    used = {
        attribute: host.take(key)
        for key, attribute in _VALUES.items()
        if host.at(key).value and not container.book.is_used(host.at(key).path)
    }
    lists = {attribute: escaped(host.take(key)) for key, attribute in _LISTS.items()}
    return {**made, **full(**used, **lists)}


def _needs(labels: Mapping[str, str]) -> dict[str, Any]:
    """Docker Compose writes ``db:service_healthy:false``, with whether a restart is passed on."""
    found = {}
    for text in filter(None, labels.get(_NEEDS, "").split(",")):
        name, condition, restart = text.split(":")
        found[name] = full(condition=condition, restart=restart == "true")
    return found


def _with_unit(number: Any, unit: str) -> str:
    return f"{number}{unit}" if number else ""


def _healthcheck(check: Part) -> dict[str, Any]:
    times = {
        "interval": "Interval",
        "timeout": "Timeout",
        "start_period": "StartPeriod",
        "start_interval": "StartInterval",
    }
    found = {name: format_duration(check.take(key)) for name, key in times.items() if check.at(key).value}
    return full(test=escaped(check.take("Test")), retries=check.take("Retries"), **found)


def _ports(host: Part) -> list[str]:
    """``127.0.0.1:8080:80/tcp``; one for both families of addresses."""
    found: dict[str, None] = {}
    for port in host.each("PortBindings"):
        target, _, protocol = str(port.path[-1]).partition("/")
        for binding in port.each():
            address, number = binding.take("HostIp"), binding.take("HostPort")
            head = f"{f'[{address}]' if ':' in address else address}:" if address not in ("", "0.0.0.0", "::") else ""
            text = f"{head}{number}:{target}" if number or head else target
            found[text + (f"/{protocol}" if protocol not in ("", "tcp") else "")] = None
    host.take("PublishAllPorts")
    return list(found)


def _exposed(config: Part, host: Part) -> list[str]:
    published = host.at("PortBindings").value or {}
    ports = config.take("ExposedPorts") or {}
    return [port.removesuffix("/tcp") for port in ports if port not in published]


def _volumes(container: Part, known: dict[str, Any]) -> list[str | dict[str, Any]]:
    """Those of an anonymous volume have a name of 64 hexadecimal digits, which is of no use elsewhere."""
    found: list[str | dict[str, Any]] = []
    for mount in container.take("Mounts") or ():
        kind, target = mount.get("Type"), mount.get("Destination")
        mode = "" if mount.get("RW", True) else ":ro"
        if kind == "volume":
            name = mount.get("Name", "")
            if len(name) == 64:
                found.append(target)
                continue
            known[name] = {"name": name, "external": True}
            found.append(f"{name}:{target}{mode}")
        elif kind == "bind":
            found.append(escaped(f"{mount.get('Source')}:{target}{mode}"))
        elif kind == "tmpfs":
            found.append({"type": "tmpfs", "target": target})
    return found


def _restart(policy: Part) -> str:
    name, count = policy.take("Name") or "", policy.take("MaximumRetryCount")
    if name == "no":
        return ""
    return f"{name}:{count}" if name == "on-failure" and count else str(name)


def _logging(log: Part) -> dict[str, Any]:
    driver = None if log.book.is_used(log.at("Type").path) else log.take("Type")
    return full(driver=driver, options=log.take("Config"))


def _network(container: Part, name: str, known: dict[str, Any]) -> dict[str, Any]:
    """Networks exist already; those of the engine itself are not asked for."""
    mode = str(container.take("HostConfig", "NetworkMode") or "")
    if mode in ("host", "none") or mode.startswith("container:"):
        return {"network_mode": mode}
    found: dict[str, Any] = {}
    for network, joined in (container.at("NetworkSettings", "Networks").value or {}).items():
        if network in _BRIDGES:
            continue
        known[network] = {"name": network, "external": True}
        identity = str(container.value.get("Id") or "")[:12]
        aliases = [alias for alias in joined.get("Aliases") or () if alias not in (name, identity)]
        asked = joined.get("IPAMConfig") or {}
        found[network] = full(
            aliases=[alias for alias in aliases if alias != str(container.at("Name").value or "").strip("/")],
            ipv4_address=asked.get("IPv4Address"),
            ipv6_address=asked.get("IPv6Address"),
        )
    return {"networks": {network: given or None for network, given in found.items()}} if found else {}
