"""One service of a stack file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.translation.plain import full, plain
from orchestra.translation.reading import has_address, image_name, is_for_others, published_number, set_variables
from orchestra.translation.swarm.deploy import deploy_object
from orchestra.translation.swarm.mounts import file_references, volumes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.translation.ledger import Given
    from orchestra.translation.reading import Link
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
_EVERY_NODE = "a port is published on every node"
_FIRST = "a port is published under one number: it gets the first of them"
_ORDER = "docker stack deploy starts everything at once: a program must wait for what it needs, or end and be restarted"
_PULLED = "the nodes pull the image: push it to a registry that they can reach"


def service_object(key: str, service: Given, stack: str, linked: Mapping[str, list[Link]]) -> Object:
    for attribute in _APPLIED:
        service.take(attribute)
    if service.peek("depends_on"):
        service.approximate("depends_on", _ORDER)
    return {
        "image": image_name(key, service, stack, _PULLED),
        **plain({name: service.take(name) for name in _ALIKE}),
        **full(
            environment=set_variables(service.take("environment")),
            healthcheck=_healthcheck(service),
            networks=_networks(service, linked.get(key, [])),
            ports=_ports(service),
            volumes=volumes(service),
            configs=file_references("configs", service),
            secrets=file_references("secrets", service),
            deploy=deploy_object(service),
            credential_spec=_credentials(service),
        ),
    }


def _healthcheck(service: Given) -> Object:
    check = service.below("healthcheck")
    if check is None:
        return {}
    made: Object = plain({name: check.take(name) for name in check.model.hints()})
    return made


def _credentials(service: Given) -> Object:
    made: Object = plain(service.take("credential_spec"))
    return made or {}


def _networks(service: Given, linked: list[Link]) -> dict[str, Any]:
    mode = service.peek("network_mode")
    if mode in ("host", "none"):
        service.take("network_mode")
        return {mode: None}
    names = _other_names(service, linked)
    found: dict[str, Any] = {}
    for network, attachment in service.entries("networks").items():
        aliases = [*(attachment.take("aliases") if attachment else ()), *names]
        found[network] = full(aliases=list(dict.fromkeys(aliases))) or None
    return found


def _other_names(service: Given, linked: list[Link]) -> list[str]:
    """Those of links to it, and that of its container, which is not the only one with it."""
    names = []
    for path, alias in linked:
        service.ledger.use(path)
        names += [alias] if alias else []
    name = service.peek("container_name")
    if name:
        service.approximate("container_name", "is a name on the networks, not that of the container")
        names.append(name)
    return names


def _ports(service: Given) -> list[Object]:
    found = []
    for port in service.each("ports"):
        target, mode, protocol = (port.take(name) for name in ("target", "mode", "protocol"))
        port.take("published")
        port.take("host_ip")
        if not is_for_others(port):
            port.approximate("host_ip", f"{_EVERY_NODE}, so that of one host only is not published")
            continue
        if has_address(port):
            port.lose("host_ip", _EVERY_NODE)
        number = published_number(port, _FIRST)
        found.append({"target": target, **full(published=number), "protocol": protocol, "mode": mode})
    return found
