"""Containers in Docker's shapes (Engine API, ``ContainerInspectResponse`` and ``ContainerSummary``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.driver.local.details import load_labels
from orchestra.engine_api.containers.definition import BRIDGE
from orchestra.engine_api.containers.host_config import DEFAULTS, as_asked, mount_mode
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Exited, Running

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.engine_api.world import Found, World

OWN_LABELS = (
    "com.docker.compose.container-number",
    "com.docker.compose.project",
    "com.docker.compose.service",
    "com.docker.compose.oneoff",
)
MINUTE, HOUR, DAY = 60, 3600, 86400


def labels_of(found: Found) -> dict[str, str]:
    """As the file or the request has them, with those of the image; containers of a file have Compose's, too."""
    labels = load_labels(found.home, found.container.name)
    if found.made is not None:
        return {key: value for key, value in labels.items() if key not in OWN_LABELS} | dict(found.made.labels)
    own = {
        "com.docker.compose.container-number": str(found.container.index),
        "com.docker.compose.oneoff": str(found.container.one_off),
        "com.docker.compose.project": found.home.name,
        "com.docker.compose.service": found.container.service,
    }
    return {**labels, **own}


def details(world: World, found: Found) -> dict[str, Any]:
    """Everything, for ``inspect``."""
    shown = world.inspect(found)
    config, made = shown["Config"], found.made
    config |= {"Labels": labels_of(found), "OnBuild": None}
    config |= {key: config.get(key, False) for key in ("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce")}
    if made is not None:
        kept = (
            "AttachStdin",
            "AttachStdout",
            "AttachStderr",
            "StdinOnce",
            "Volumes",
            "Domainname",
            "User",
            "Healthcheck",
        )
        config |= {key: made.config[key] for key in kept if made.config.get(key) not in (None, {})}
        config["Image"] = made.image
        config["Env"] += [word for word in made.config.get("Env") or () if "=" not in word]
        if made.config.get("Hostname"):
            config["Hostname"] = made.config["Hostname"]
        shown["HostConfig"] = as_asked(made)
        for mount in shown["Mounts"]:
            mount["Mode"] = mount_mode(made, mount)
    else:
        shown["HostConfig"] = {**DEFAULTS, **{k: v for k, v in shown["HostConfig"].items() if v is not None}}
        shown["HostConfig"]["PortBindings"] = _bindings(shown["NetworkSettings"]["Ports"])
    shown["Name"] = f"/{found.name}"
    shown |= {
        "ResolvConfPath": f"{found.directory}/resolv.conf",
        "HostnamePath": f"{found.directory}/hostname",
        "HostsPath": f"{found.directory}/hosts",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": world.executions.of_container(found.id) or None,
        "GraphDriver": {"Name": "overlay2", "Data": {}},
    }
    shown["NetworkSettings"] = _networks(world, found, shown["NetworkSettings"])
    return shown


def _bindings(ports: Mapping[str, Any]) -> dict[str, Any]:
    return {port: bindings for port, bindings in ports.items() if bindings}


def _networks(world: World, found: Found, settings: Mapping[str, Any]) -> dict[str, Any]:
    from orchestra.driver.local.net.listing import network_id

    networks = {}
    for name, endpoint in settings["Networks"].items():
        identifier = network_id(world.context.home, name)
        networks[name] = {
            "IPAMConfig": _fixed_addresses(found, name),
            "Links": None,
            "Aliases": None if name == BRIDGE else [alias for alias in endpoint["DNSNames"] if alias != found.name],
            "DriverOpts": None,
            "NetworkID": identifier,
            "EndpointID": found.id if endpoint["IPAddress"] else "",
            **endpoint,
        }
    if not networks and (kind := _mode(found)) in ("host", "none"):
        networks[kind] = {"NetworkID": kind, "EndpointID": "", "IPAddress": "", "Gateway": "", "MacAddress": ""}
    first: Mapping[str, Any] = networks.get("bridge", {})
    return {
        "Bridge": "",
        "SandboxID": found.id if found.runs else "",
        "SandboxKey": "",
        "Ports": settings["Ports"],
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "EndpointID": first.get("EndpointID", ""),
        "Gateway": first.get("Gateway", ""),
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": first.get("IPAddress", ""),
        "IPPrefixLen": first.get("IPPrefixLen", 0),
        "IPv6Gateway": "",
        "MacAddress": first.get("MacAddress", ""),
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "Networks": networks,
    }


def _fixed_addresses(found: Found, network: str) -> dict[str, Any] | None:
    endpoints = found.spec.endpoints if found.spec else ()
    endpoint = next((each for each in endpoints if each.network == network), None)
    if endpoint is None:
        return None
    addresses = {
        "IPv4Address": endpoint.ipv4_address,
        "IPv6Address": endpoint.ipv6_address,
        "LinkLocalIPs": list(endpoint.link_local_addresses),
    }
    return {key: value for key, value in addresses.items() if value} or None


def _mode(found: Found) -> str:
    from orchestra.model.sharing import Bare, Host

    mode = found.spec.network_mode if found.spec else None
    return "host" if isinstance(mode, Host) else "none" if isinstance(mode, Bare) else ""


def summary(shown: Mapping[str, Any], now: float, created_at: float) -> dict[str, Any]:
    """A row of a list. shown: what ``details`` made."""
    state, config = shown["State"], shown["Config"]
    words = (f"'{word}'" if " " in word else word for word in shown["Args"])
    command = " ".join([shown["Path"], *words]).strip()
    mode = shown["HostConfig"]["NetworkMode"]
    return {
        "Id": shown["Id"],
        "Names": [shown["Name"]],
        "Image": config["Image"],
        "ImageID": shown["Image"],
        "Command": command,
        "Created": int(created_at),
        "Ports": _ports(shown["NetworkSettings"]["Ports"]) if state["Running"] else [],
        "Labels": config["Labels"],
        "State": state["Status"],
        "Status": status_words(state, now),
        "HostConfig": {"NetworkMode": mode},
        "NetworkSettings": {"Networks": shown["NetworkSettings"]["Networks"]},
        "Mounts": shown["Mounts"],
    }


def _ports(ports: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for text, bindings in ports.items():
        number, _, protocol = text.partition("/")
        row = {"PrivatePort": int(number), "Type": protocol or "tcp"}
        if not bindings:
            rows.append(row)
        rows += [
            {"IP": each["HostIp"], **row, "PublicPort": int(each["HostPort"])}
            for each in bindings or ()
            if each["HostPort"]
        ]
    return rows


def status_words(state: Mapping[str, Any], now: float) -> str:
    """Docker's words, such as ``Up 5 minutes (healthy)``."""
    from orchestra.engine_api.moment import parse_moment

    code = state["ExitCode"]
    match state["Status"]:
        case "created":
            return "Created"
        case "restarting":
            return f"Restarting ({code}) {_since(parse_moment('', state['FinishedAt'], now), now)} ago"
        case "exited":
            return f"Exited ({code}) {_since(parse_moment('', state['FinishedAt'], now), now)} ago"
    words = f"Up {_since(parse_moment('', state['StartedAt'], now), now)}"
    if state["Paused"]:
        return f"{words} (Paused)"
    health = state.get("Health", {}).get("Status", "")
    if health == "starting":
        return f"{words} (health: starting)"
    return f"{words} ({health})" if health else words


def _since(moment: float | None, now: float) -> str:
    """As Docker rounds it (go-units, ``HumanDuration``)."""
    seconds = max(0, int(now - (moment or now)))
    if seconds < 1:
        return "Less than a second"
    if seconds < MINUTE:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    minutes = seconds // MINUTE
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = round(seconds / HOUR)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    days = hours // 24
    if days < 14:
        return f"{days} days"
    if days < 60:
        return f"{days // 7} weeks"
    return f"{days // 30} months" if days < 730 else f"{days // 365} years"


def state_of(world: World, found: Found) -> str:
    """One word of Docker's."""
    status = found.container.status
    if isinstance(status, Running):
        return "paused" if status.paused else "running"
    if isinstance(status, Exited):
        return "restarting" if world.is_restarting(found) else "exited"
    return "created"


def health_of(found: Found) -> str:
    status = found.container.status
    if isinstance(status, Running) and status.health.status is not HealthStatus.NONE:
        return str(status.health.status)
    return "none"
