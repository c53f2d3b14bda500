"""Ports: of containers, and the Services by which pods are reached.

A headless Service has the service's name and answers with the addresses of its pods, as the resolver does here: every
port of a container is reached by it. Published ports are those of a second one, a load balancer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.translation.kubernetes.cluster import patched
from orchestra.translation.kubernetes.names import is_label, label
from orchestra.translation.plain import full

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.translation.kubernetes.cluster import Cluster
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PUBLISHED = "-published"


def container_ports(service: Given) -> list[Object]:
    """What the file names; the others are reached all the same."""
    found: dict[tuple[int, str], Object] = {}
    for text in service.take("expose"):
        number, _, protocol = text.partition("/")
        first, _, last = number.partition("-")
        for target in range(int(first), int(last or first) + 1):
            _put(found, target, protocol or "tcp")
    for port in service.each("ports"):
        host = _number(port.peek("published")) if port.peek("mode") == "host" else None
        _put(found, port.peek("target"), port.peek("protocol"), host)
    return list(found.values())


def _put(found: dict[tuple[int, str], Object], target: int, protocol: str, host: int | None = None) -> None:
    name = protocol.upper()
    found.setdefault((target, name), {"containerPort": target, "protocol": name}).update(full(hostPort=host))


def services(key: str, service: Given, cluster: Cluster, aliases: list[str]) -> list[Object]:
    """The headless one under the service's name and each of its aliases, and that of its published ports."""
    patch = (service.extension("x-kubernetes") or {}).get("service", {})
    selector = cluster.selector(key)
    found = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": cluster.metadata(name, key),
            "spec": {"clusterIP": "None", "selector": selector, **full(ports=_inner_ports(service))},
        }
        for name in (cluster.names[key], *aliases)
    ]
    ports = _published(service)
    if ports:
        published: Object = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": cluster.metadata(label(f"{cluster.names[key]}{_PUBLISHED}"), key),
            "spec": {"type": "LoadBalancer", "selector": selector, "ports": ports},
        }
        found.append(patched(published, patch))
    return found


def _inner_ports(service: Given) -> list[Object]:
    """Of the headless Service: for those that ask the name system for them (SRV)."""
    return [
        {
            "name": f"{port['protocol'].lower()}-{port['containerPort']}",
            "port": port["containerPort"],
            "protocol": port["protocol"],
        }
        for port in container_ports(service)
    ]


def _published(service: Given) -> list[Object]:
    found: list[Object] = []
    for port in service.each("ports"):
        target, protocol = port.take("target"), port.take("protocol").upper()
        published, host = port.take("published"), port.take("host_ip")
        mode, protocol_name = port.take("mode"), port.take("app_protocol")
        name = port.take("name") or f"{protocol.lower()}-{published or target}"
        if mode == "host":
            continue
        if not is_published(port):
            port.approximate("host_ip", "is not reachable from outside", "kubectl port-forward reaches it")
            continue
        if host and host not in ("0.0.0.0", "::"):
            port.approximate("host_ip", "a load balancer has addresses of its own", "give it as x-kubernetes.service")
        number = _number(published)
        if published and number is None:
            port.approximate("published", "a Service cannot choose among ports: it gets the first of them")
            number = _number(published.partition("-")[0])
        base: dict[str, Any] = {"name": label(name)[:15].rstrip("-"), "port": number or target, "targetPort": target}
        found.append({**base, "protocol": protocol, **full(appProtocol=protocol_name)})
    return found


def is_published(port: Given) -> bool:
    """Whether others than the host itself reach it."""
    return port.peek("host_ip") not in _LOOPBACK


def _number(published: str | None) -> int | None:
    return int(published) if published and published.isdecimal() else None


Link = tuple[tuple[str | int, ...], str]


def links(services: Mapping[str, Given]) -> dict[str, list[Link]]:
    """By linked service, the places and names of links to it. A name is found by all here, not only by the linking."""
    found: dict[str, list[Link]] = {}
    for service in services.values():
        for index, text in enumerate(service.peek("links")):
            name, _, alias = text.partition(":")
            found.setdefault(name, []).append(((*service.path, "links", index), alias or name))
    return found


def aliases(key: str, service: Given, cluster: Cluster, taken: set[str], links: Mapping[str, list[Link]]) -> list[str]:
    """Names beside its own under which a service is found: aliases on its networks, those of links to it, and the name
    of its container.

    taken: names of other Services, to which these are added.
    """
    found = []
    wanted = [
        ((*service.path, "networks", network, "aliases", index), name)
        for network, attachment in service.entries("networks").items()
        if attachment
        for index, name in enumerate(attachment.peek("aliases"))
    ]
    wanted += links.get(key, [])
    if service.peek("container_name"):
        wanted.append(((*service.path, "container_name"), service.peek("container_name")))
    for path, name in wanted:
        service.ledger.use(path)
        if name in (key, cluster.names[key]) or name in found:
            continue
        if not is_label(name):
            service.ledger.lose(path, f"{name} cannot be the name of a Service", "use letters, digits and hyphens")
        elif name in taken:
            service.ledger.lose(path, f"another service is called {name} already")
        else:
            taken.add(name)
            found.append(name)
    return found
