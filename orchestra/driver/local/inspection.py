"""Everything known about a container, in the form of ``docker inspect`` (Docker's Engine API, ContainerInspect)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from orchestra.container.directory import ContainerDirectory
from orchestra.driver.local.details import load_labels
from orchestra.driver.local.look import HEALTH, of_run
from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.record import sound
from orchestra.driver.local.volume.files import FILES
from orchestra.model.codec import decode
from orchestra.model.container import ContainerSpec
from orchestra.model.health import HealthStatus, Probed
from orchestra.model.log import render_moment
from orchestra.model.mount import TmpfsMount, VolumeMount
from orchestra.model.observed import Exited, Running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.home import Home, StackHome
    from orchestra.model.observed import Container, Healthcheck

NEVER = "0001-01-01T00:00:00Z"
"""Go's zero time, which Docker shows for events that have not happened."""
NANOSECONDS = 1_000_000_000
CUT_OFF = -1
"""Docker's exit code of a probe that was cut off."""
READ_ONLY = frozenset({"ro", "rro"})
CORE = 1_000_000_000
"""Docker's unit of ``NanoCpus``."""


def inspect(
    home: Home, stack_home: StackHome, container: Container, *, is_restarting: bool, spec: ContainerSpec | None = None
) -> dict[str, Any]:
    """Values that cannot be read are empty. spec: its definition, for callers that inspect many; None to read it."""
    directory = ContainerDirectory(stack_home.container(container.name))
    config = directory.load_sound("config.json")
    spec = _load_spec(stack_home, container) if spec is None else _as_made(spec, container)
    attachment = sound(attachments.load, directory.path)
    own = {
        "com.docker.compose.container-number": str(container.index),
        "com.docker.compose.project": stack_home.name,
        "com.docker.compose.service": container.service,
    }
    log = f"{stack_home.logs}/{container.name}.log"
    return {
        "Id": container.id,
        "Created": render_moment(container.created_at),
        "Path": next(iter(container.command), ""),
        "Args": list(container.command[1:]),
        "State": _state(container, directory, is_restarting=is_restarting),
        "Image": container.image_digest,
        "LogPath": log if os.path.exists(log) else "",
        "Name": f"/{container.name}",
        "RestartCount": container.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "Mounts": list(_mounts(home, directory, config, spec)),
        "Config": _config(container, config, spec, attachment, {**load_labels(stack_home, container.name), **own}),
        "HostConfig": _host_config(config, spec, attachment),
        "NetworkSettings": {"Ports": _ports(container), "Networks": _networks(attachment)},
    }


def _load_spec(stack_home: StackHome, container: Container) -> ContainerSpec:
    """The container's definition, if the stack still has it; else only what every container has."""
    try:
        with open(stack_home.desired, "rb") as file:
            found = [each for each in json.loads(file.read())["containers"] if each["name"] == container.name]
        if found:
            return _as_made(decode(ContainerSpec, found[0]), container)
    except (OSError, ValueError, LookupError, TypeError):
        pass
    return _bare(container)


def _as_made(spec: ContainerSpec, container: Container) -> ContainerSpec:
    """Only what every container has, if it was made from another definition."""
    return spec if spec.config_hash == container.config_hash else _bare(container)


def _bare(container: Container) -> ContainerSpec:
    return ContainerSpec(container.name, container.service, container.index, container.image, container.config_hash)


def _state(container: Container, directory: ContainerDirectory, *, is_restarting: bool) -> dict[str, Any]:
    status = container.status
    is_paused = isinstance(status, Running) and status.paused
    state = "restarting" if is_restarting else "paused" if is_paused else type(status).__name__.lower()
    found: dict[str, Any] = {
        "Status": state,
        "Running": isinstance(status, Running) or is_restarting,
        "Paused": is_paused,
        "Restarting": is_restarting,
        "OOMKilled": isinstance(status, Exited) and status.oom_killed,
        "Dead": False,
        "Pid": status.pid if isinstance(status, Running) else 0,
        "ExitCode": status.exit_code if isinstance(status, Exited) else 0,
        "Error": container.error or container.damage,
        "StartedAt": render_moment(status.started_at) if isinstance(status, Running | Exited) else NEVER,
        "FinishedAt": render_moment(status.finished_at) if isinstance(status, Exited) else NEVER,
    }
    if isinstance(status, Running) and status.health.status is not HealthStatus.NONE:
        health = status.health
        log = of_run(directory, HEALTH, status.started_at).get("log", ())
        found["Health"] = {
            "Status": str(health.status),
            "FailingStreak": health.failing_streak,
            "Log": [_probed(decode(Probed, entry)) for entry in log],
        }
    return found


def _probed(probed: Probed) -> dict[str, Any]:
    return {
        "Start": render_moment(probed.started_at),
        "End": render_moment(probed.ended_at),
        "ExitCode": CUT_OFF if probed.exit_code is None else probed.exit_code,
        "Output": probed.output,
    }


def _mounts(
    home: Home, directory: ContainerDirectory, config: Mapping[str, Any], spec: ContainerSpec
) -> Iterator[dict[str, Any]]:
    """The mounts, except for the container's own: /proc and the like, and files of /etc that are made for it."""
    named = {mount.target: mount.name for mount in spec.mounts if isinstance(mount, VolumeMount) and mount.name}
    temporary = {mount.target for mount in spec.mounts if isinstance(mount, TmpfsMount)}
    for entry in config.get("mounts") or ():
        source, target, options = str(entry.get("source", "")), entry["destination"], entry.get("options") or ()
        row = {"Destination": target, "Mode": "", "RW": READ_ONLY.isdisjoint(options), "Propagation": ""}
        name = named.get(target, "")
        if source.startswith(f"{home.volumes}/"):
            name = source[len(home.volumes) + 1 :].partition("/")[0]
        if name:
            yield {"Type": "volume", "Name": name, "Source": source, "Driver": "local", **row}
        elif target in temporary:
            yield {"Type": "tmpfs", "Source": "", **row}
        elif entry.get("type") == "bind" and _is_foreign(source, directory):
            propagation = next((word for word in options if word.endswith(("private", "slave", "shared"))), "")
            yield {"Type": "bind", "Source": source, **row, "Propagation": propagation}


def _is_foreign(source: str, directory: ContainerDirectory) -> bool:
    """Not a file that is made for the container, but for its configs and secrets. Names of those are relative."""
    own = source.startswith(f"{directory.path}/") and not source.startswith(directory.file(f"{FILES}/"))
    return source.startswith("/") and not own


def _config(
    container: Container,
    config: Mapping[str, Any],
    spec: ContainerSpec,
    attachment: Attachment | None,
    labels: Mapping[str, str],
) -> dict[str, Any]:
    process = config.get("process") or {}
    command, asked = list(container.command), list(spec.command or ())
    entrypoint: list[str] = []
    if asked and command[-len(asked) :] == asked:
        entrypoint, command = command[: -len(asked)], asked
    ids = process.get("user") or {}
    user = spec.user or (f"{ids['uid']}:{ids.get('gid', 0)}" if ids.get("uid") else "")
    return {
        "Hostname": attachment.hostname if attachment else "",
        "Domainname": spec.domainname,
        "User": user,
        "Tty": bool(process.get("terminal")),
        "OpenStdin": spec.stdin_open,
        "ExposedPorts": {port: {} for port in sorted({*container.exposed, *_targets(container)})},
        "Env": list(process.get("env") or ()),
        "Cmd": command or None,
        "Healthcheck": _healthcheck(container.healthcheck),
        "Image": container.image,
        "WorkingDir": process.get("cwd", ""),
        "Entrypoint": entrypoint or None,
        "Labels": dict(labels),
        "StopSignal": container.stop_signal,
        "StopTimeout": round(container.stop_grace_period),
    }


def _healthcheck(check: Healthcheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    times = {
        "Interval": check.interval,
        "Timeout": check.timeout,
        "StartPeriod": check.start_period,
        "StartInterval": check.start_interval,
    }
    nanoseconds = {name: int(seconds * NANOSECONDS) for name, seconds in times.items()}
    return {"Test": ["CMD", *check.test], **nanoseconds, "Retries": check.retries}


def _host_config(config: Mapping[str, Any], spec: ContainerSpec, attachment: Attachment | None) -> dict[str, Any]:
    linux, process = config.get("linux") or {}, config.get("process") or {}
    resources = linux.get("resources") or {}
    memory, cpu = resources.get("memory") or {}, resources.get("cpu") or {}
    return {
        "LogConfig": {"Type": spec.logging.driver, "Config": {}},
        "NetworkMode": _network_mode(attachment),
        "RestartPolicy": {
            "Name": str(spec.restart.policy),
            "MaximumRetryCount": spec.restart.maximum_retries or 0,
        },
        "AutoRemove": False,
        "CapAdd": list(spec.cap_add) or None,
        "CapDrop": list(spec.cap_drop) or None,
        "Privileged": spec.privileged,
        "ReadonlyRootfs": bool((config.get("root") or {}).get("readonly")),
        "Init": spec.init,
        "Runtime": spec.runtime,
        "OomScoreAdj": process.get("oomScoreAdj", 0),
        "ShmSize": spec.shm_size or 0,
        "Memory": memory.get("limit", 0),
        "MemoryReservation": memory.get("reservation", 0),
        "MemorySwap": memory.get("swap", 0),
        "NanoCpus": round((spec.resources.cpus or 0) * CORE),
        "CpuShares": cpu.get("shares", 0),
        "CpuQuota": cpu.get("quota", 0),
        "CpuPeriod": cpu.get("period", 0),
        "CpusetCpus": cpu.get("cpus", ""),
        "PidsLimit": (resources.get("pids") or {}).get("limit"),
    }


def _network_mode(attachment: Attachment | None) -> str:
    if attachment is None:
        return ""
    if attachment.interfaces:
        return attachment.interfaces[0].network
    return "none" if attachment.namespace_path else "host"


def _targets(container: Container) -> list[str]:
    return [row.rpartition("->")[2] for row in container.ports]


def _ports(container: Container) -> dict[str, list[dict[str, str]] | None]:
    found: dict[str, list[dict[str, str]] | None] = dict.fromkeys(sorted({*container.exposed, *_targets(container)}))
    for row in container.ports:
        host, _, inside = row.rpartition("->")
        address, _, number = host.rpartition(":")
        found[inside] = [*(found[inside] or ()), {"HostIp": address.strip("[]"), "HostPort": number}]
    return found


def _networks(attachment: Attachment | None) -> dict[str, dict[str, Any]]:
    return {
        each.network: {
            "IPAddress": each.address,
            "IPPrefixLen": each.prefix,
            "Gateway": each.gateway,
            "GlobalIPv6Address": each.ipv6_address,
            "GlobalIPv6PrefixLen": each.ipv6_prefix,
            "IPv6Gateway": each.ipv6_gateway,
            "MacAddress": each.mac_address,
            "DNSNames": list(each.names),
        }
        for each in (attachment.interfaces if attachment else ())
    }
