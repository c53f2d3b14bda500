"""One service of a stack file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.translation.plain import full, plain
from orchestra.translation.swarm.deploy import deploy_object
from orchestra.translation.swarm.mounts import file_references, volumes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_ALIKE = (
    "cap_add",
    "cap_drop",
    "command",
    "dns",
    "dns_search",
    "entrypoint",
    "extra_hosts",
    "hostname",
    "init",
    "isolation",
    "labels",
    "logging",
    "oom_score_adj",
    "read_only",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "sysctls",
    "tty",
    "ulimits",
    "user",
    "working_dir",
)
"""What both formats say in the same way."""
_APPLIED = ("profiles", "env_file", "label_file", "expose")
"""By the load itself; and containers of one network reach all ports of each other anyway."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_EVERY_NODE = "a port is published on every node"
_ORDER = "docker stack deploy starts everything at once: a program must wait for what it needs, or end and be restarted"
_PULLED = "the nodes pull the image: push it to a registry that they can reach"


def service_object(key: str, service: Given, stack: str, services: Mapping[str, Given]) -> Object:
    for attribute in _APPLIED:
        service.take(attribute)
    if service.peek("depends_on"):
        service.approximate("depends_on", _ORDER)
    return {
        "image": _image(key, service, stack),
        **plain({name: service.take(name) for name in _ALIKE}),
        **full(
            environment=_environment(service),
            healthcheck=_healthcheck(service),
            networks=_networks(key, service, services),
            ports=_ports(service),
            volumes=volumes(service),
            configs=file_references("configs", service),
            secrets=file_references("secrets", service),
            deploy=deploy_object(service),
            credential_spec=_credentials(service),
        ),
    }


def _image(key: str, service: Given, stack: str) -> str:
    if service.peek("build") is not None:
        service.approximate("build", _PULLED, "orchestra build --push")
    name: str | None = service.take("image")
    return name or f"{stack}-{key}"


def _environment(service: Given) -> dict[str, str]:
    """A variable without a value is not set."""
    given = service.take("environment") or {}
    return {name: value for name, value in given.items() if value is not None}


def _healthcheck(service: Given) -> Object:
    check = service.below("healthcheck")
    if check is None:
        return {}
    made: Object = plain({name: check.take(name) for name in check.model.hints()})
    return made


def _credentials(service: Given) -> Object:
    made: Object = plain(service.take("credential_spec"))
    return made or {}


def _networks(key: str, service: Given, services: Mapping[str, Given]) -> dict[str, Any]:
    mode = service.peek("network_mode")
    if mode in ("host", "none"):
        service.take("network_mode")
        return {mode: None}
    names = _other_names(key, service, services)
    found: dict[str, Any] = {}
    for network, attachment in service.entries("networks").items():
        aliases = [*(attachment.take("aliases") if attachment else ()), *names]
        found[network] = full(aliases=list(dict.fromkeys(aliases))) or None
    return found


def _other_names(key: str, service: Given, services: Mapping[str, Given]) -> list[str]:
    """Those of links to it, and that of its container, which is not the only one with it."""
    names = []
    for other in services.values():
        for index, link in enumerate(other.peek("links")):
            name, _, alias = link.partition(":")
            if name == key:
                other.ledger.use((*other.path, "links", index))
                names += [alias] if alias else []
    name = service.peek("container_name")
    if name:
        service.approximate("container_name", "is a name on the networks, not that of the container")
        names.append(name)
    return names


def _ports(service: Given) -> list[Object]:
    found = []
    for port in service.each("ports"):
        target, published, host = port.take("target"), port.take("published"), port.take("host_ip")
        mode, protocol = port.take("mode"), port.take("protocol")
        if host in _LOOPBACK:
            port.approximate("host_ip", f"{_EVERY_NODE}, so that of one host only is not published")
            continue
        if host and host not in ("0.0.0.0", "::"):
            port.lose("host_ip", _EVERY_NODE)
        number = int(published) if published and published.isdecimal() else None
        if published and number is None:
            port.approximate("published", "a port is published under one number: it gets the first of them")
            number = int(published.partition("-")[0])
        found.append({"target": target, **full(published=number), "protocol": protocol, "mode": mode})
    return found
