"""Ports: of containers, and the Services by which pods are reached.

A headless Service has the service's name and answers with the addresses of its pods, as the resolver does here: every
port of a container is reached by it. Published ports are those of a second one, a load balancer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.translation.kubernetes.cluster import patched
from orchestra.translation.kubernetes.names import is_label, label
from orchestra.translation.kubernetes.routes import routes
from orchestra.translation.plain import full
from orchestra.translation.reading import has_address, is_for_others, published_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.translation.kubernetes.cluster import Cluster
    from orchestra.translation.ledger import Given
    from orchestra.translation.reading import Link
    from orchestra.translation.result import Object

_PUBLISHED = "-published"
_FIRST = "a Service cannot choose among ports: it gets the first of them"


def container_ports(service: Given) -> list[Object]:
    """What the file names; the others are reached all the same."""
    found: dict[tuple[int, str], Object] = {}
    for text in service.take("expose"):
        number, _, protocol = text.partition("/")
        first, _, last = number.partition("-")
        for target in range(int(first), int(last or first) + 1):
            _put(found, target, protocol or "tcp")
    for port in service.each("ports"):
        _put(found, port.peek("target"), port.peek("protocol"), _host_port(port))
    return list(found.values())


def _put(found: dict[tuple[int, str], Object], target: int, protocol: str, host: int | None = None) -> None:
    name = protocol.upper()
    found.setdefault((target, name), {"containerPort": target, "protocol": name}).update(full(hostPort=host))


def services(key: str, service: Given, cluster: Cluster, aliases: list[str]) -> list[Object]:
    """The headless one under the service's name and each of its aliases, that of the published ports, its routes."""
    patch = (service.extension("x-kubernetes") or {}).get("service", {})
    selector = cluster.selector(key)
    headless = {"clusterIP": "None", "selector": selector, **full(ports=_inner_ports(service))}
    found = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": cluster.metadata(name, key),
            "spec": headless,
        }
        for name in (cluster.names[key], *aliases)
    ]
    ports, published = _published(service), None
    if ports:
        published = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": cluster.metadata(label(f"{cluster.names[key]}{_PUBLISHED}"), key),
            "spec": {"type": "LoadBalancer", "selector": selector, "ports": ports},
        }
        found.append(patched(published, patch))
    return found + routes(service, cluster.metadata(cluster.names[key], key), published)


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
        published = port.take("published")
        port.take("host_ip")
        mode, protocol_name = port.take("mode"), port.take("app_protocol")
        name = port.take("name") or f"{protocol.lower()}-{published or target}"
        if mode == "host":
            continue
        if not is_for_others(port):
            port.approximate("host_ip", "is not reachable from outside", "kubectl port-forward reaches it")
            continue
        if has_address(port):
            port.approximate("host_ip", "a load balancer has addresses of its own", "give it as x-kubernetes.service")
        number = published_number(port, _FIRST)
        base: dict[str, Any] = {"name": label(name)[:15].rstrip("-"), "port": number or target, "targetPort": target}
        found.append({**base, "protocol": protocol, **full(appProtocol=protocol_name)})
    return found


def _host_port(port: Given) -> int | None:
    """Of a port that is published by the nodes themselves; None for others, and for one of several."""
    published = port.peek("published")
    return int(published) if port.peek("mode") == "host" and published and published.isdecimal() else None


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
    wanted += [(path, alias or key) for path, alias in links.get(key, [])]
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
