"""Networks: their units, how a container joins them, and the ports that are published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.translation.quadlet.unit import Lines, unit_object, whole, words
from orchestra.units import parse_port_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.translation.ledger import Given
    from orchestra.translation.quadlet.names import Names
    from orchestra.translation.reading import Link
    from orchestra.translation.result import Object

_DRIVERS = frozenset({"bridge", "macvlan", "ipvlan"})


def network_objects(stack: Given, names: Names) -> Iterator[Object]:
    for key, network in stack.entries("networks").items():
        if network is None or network.take("external"):
            if network:
                network.take("name")
            continue
        lines = Lines()
        lines.add("NetworkName", whole(network.take("name") or key))
        driver = network.peek("driver")
        if driver in _DRIVERS:
            network.take("driver")
            lines.add("Driver", driver)
        elif driver:
            network.lose("driver", "Podman has the drivers bridge, macvlan and ipvlan")
        for name, title in (("internal", "Internal"), ("enable_ipv6", "IPv6")):
            if network.take(name):
                lines.add(title, "true")
        for name, title in (("driver_opts", "Options"), ("labels", "Label")):
            lines.add(title, *(words(f"{part}={value}") for part, value in (network.take(name) or {}).items()))
        _add_addresses(network, lines)
        yield unit_object(names.network(key), {"Network": lines.found})


def _add_addresses(network: Given, lines: Lines) -> None:
    ipam = network.below("ipam")
    if ipam is None:
        return
    driver = ipam.peek("driver")
    if driver in (None, "default", "host-local", "dhcp", "none"):
        ipam.take("driver")
        if driver not in (None, "default"):
            lines.add("IPAMDriver", driver)
    for pool in ipam.each("config"):
        subnet = pool.take("subnet")
        if not subnet:
            pool.ledger.lose(pool.path, "Podman needs the subnet that it is in")
            continue
        lines.add("Subnet", whole(subnet))
        for name, key in (("gateway", "Gateway"), ("ip_range", "IPRange")):
            value = pool.take(name)
            # The lines of a key belong to the subnets in their order.
            if value and len(lines.found.get(key, ())) == len(lines.found["Subnet"]) - 1:
                lines.add(key, whole(value))
            elif value:
                pool.lose(name, "the subnets before it would need one too")


def add_networks(key: str, index: int, service: Given, names: Names, linked: list[Link], lines: Lines) -> None:
    mode = service.peek("network_mode")
    if mode and _add_mode(mode, index, service, names, lines):
        return
    others = _other_names(service, linked)
    mac = service.take("mac_address")
    for number, (network, attachment) in enumerate(service.entries("networks").items()):
        if ("networks", network) not in names.declared:
            service.ledger.lose((*service.path, "networks", network), "the file does not declare the network")
            continue
        aliases = [key, *(attachment.take("aliases") if attachment else ()), *others]
        options = [f"alias={alias}" for alias in dict.fromkeys(aliases)]
        if attachment:
            for name, option in (("ipv4_address", "ip"), ("ipv6_address", "ip6"), ("interface_name", "interface_name")):
                if value := attachment.take(name):
                    options.append(f"{option}={value}")
            mac_here = attachment.take("mac_address") or (mac if number == 0 else None)
        else:
            mac_here = mac if number == 0 else None
        options += [f"mac={mac_here}"] if mac_here else []
        lines.add("Network", whole(f"{names.network(network)}:{','.join(options)}"))


def _add_mode(mode: str, index: int, service: Given, names: Names, lines: Lines) -> bool:
    kind, _, name = mode.partition(":")
    if kind == "service" and name in names.numbers:
        service.take("network_mode")
        lines.add("Network", f"{names.unit(name, min(index, names.numbers[name]))}.container")
        return True
    if mode in ("host", "none") or kind == "container":
        service.take("network_mode")
        lines.add("Network", whole(mode))
        return True
    if mode == "bridge":
        service.take("network_mode")
        lines.add("Network", "podman")
        return True
    return False


def _other_names(service: Given, linked: list[Link]) -> list[str]:
    found = []
    for path, alias in linked:
        service.ledger.use(path)
        found += [alias] if alias else []
    return found


def add_ports(index: int, count: int, service: Given, lines: Lines) -> None:
    """index: of the container, of so many. Of a range of ports of the host each container gets its own."""
    for port in service.each("ports"):
        target, protocol, host = (port.take(name) for name in ("target", "protocol", "host_ip"))
        port.take("mode")  # both are a port of this machine here
        published = port.take("published")
        number = ""
        if published:
            ports = parse_port_range(published)
            if index > len(ports):
                port.approximate("published", f"only {len(ports)} of {count} containers can have a port of the host")
                continue
            number = str(ports.first + index - 1)
        address = f"[{host}]" if host and ":" in host else host or ""
        shown = f"{number}:{target}" if number or address else f"{target}"
        lines.add("PublishPort", whole(f"{address}:{shown}/{protocol}" if address else f"{shown}/{protocol}"))
