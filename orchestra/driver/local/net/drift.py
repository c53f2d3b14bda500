"""What others have changed in the networks of a stack: the kernel's state compared with leases and attachments.

Looking changes nothing. ``network.create_network`` restores what is missing.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import lease_file, link
from orchestra.driver.local.net.forwarding import ipv6_uplinks_to_change, silent_uplinks
from orchestra.driver.local.net.gate import has_gate, ports_without_gate
from orchestra.driver.local.net.mark import home_hash, parse_mark
from orchestra.linux.network.namespace import inside, is_pinned
from orchestra.linux.network.netlink import Address, Netlink, family_of
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from orchestra.driver.local.net.attachment import Attachment, Interface
    from orchestra.driver.local.net.ipam import NetworkLease
    from orchestra.home import Home
    from orchestra.linux.network.netlink import Link, Route

RULES_LOST = "its firewall rules were removed or changed"
SHOWN = 3
"""How many losses of a network are named; the rest is counted."""


def find_losses(home: Home, stack: str, namespaces: Collection[int] | None = None) -> dict[str, str]:
    """What the networks of the stack and its containers' interfaces lack, in words, by network. Raises OSError.

    namespaces: numbers of those to look into, None for all; everything else is always compared.
    """
    with Netlink() as connection:
        found: dict[str, list[str]] | None = None
        with contextlib.suppress(OSError):
            found = _find(connection, home, stack, namespaces)
        if found is None or found:
            # A container may have been attached or removed meanwhile: look again while that cannot happen.
            with lease_file.locked(home):
                found = _find(connection, home, stack, namespaces)
    return {network: _summary(losses) for network, losses in found.items()}


def _find(connection: Netlink, home: Home, stack: str, namespaces: Collection[int] | None) -> dict[str, list[str]]:
    attached = [entry.attachment for entry in attachments.load_all(home.stack(stack))]
    leases = lease_file.load(home).networks
    host = _Host(connection, home_hash(home))
    losses: dict[str, list[str]] = {}
    for name, lease in leases.items():
        if lease.stack == stack and lease.bridge in host.by_name:
            losses[name] = list(_of_bridge(connection, host, lease))
    ports: dict[int, str] = {}
    for attachment in attached:
        for network, port, loss in _of_container(connection, host, leases, attachment, namespaces):
            if loss:
                losses.setdefault(network, []).append(f"{attachment.container}: {loss}")
            elif port:
                ports[port] = network
    for number in ports_without_gate(connection, {number: host.by_number[number].name for number in ports}):
        losses.setdefault(ports[number], []).append(RULES_LOST)
    return {network: found for network, found in losses.items() if found}


class _Host:
    """ports: by the number of a container's namespace, the host's ends of its interfaces, each with its network."""

    def __init__(self, connection: Netlink, home: str) -> None:
        links = connection.links()
        self.by_name = {found.name: found for found in links}
        self.by_number = {found.number: found for found in links}
        self.addresses = frozenset(connection.addresses())
        self.ports: defaultdict[int, list[tuple[Link, str]]] = defaultdict(list)
        for found in links:
            mark = parse_mark(found.alias)
            if found.kind == "veth" and mark is not None and mark.home == home:
                self.ports[found.peer_namespace].append((found, mark.network))


def _of_bridge(connection: Netlink, host: _Host, lease: NetworkLease) -> Iterator[str]:
    bridge = host.by_name[lease.bridge]
    if not bridge.up:
        yield f"its bridge {bridge.name} was turned off"
    for address in lease.host_addresses:
        if Address(bridge.number, str(address.ip), address.network.prefixlen) not in host.addresses:
            yield f"the address {address} of its bridge {bridge.name} was removed"
    for path, value in link.bridge_settings(lease):
        if link.read_setting(path) not in (value, None):
            yield f"{path.removeprefix('/proc/sys/')} was changed"
    if not has_gate(connection, bridge.number, bridge.name):
        yield RULES_LOST
    if lease.ipv4 and not lease.internal:
        yield from (f"forwarding was turned off on interface {name}" for name in silent_uplinks(connection))
    if lease.ipv6 and not lease.internal:
        silent = ipv6_uplinks_to_change(connection)
        yield from (f"forwarding of IPv6 was turned off on interface {name}" for name in silent)


def _of_container(
    connection: Netlink,
    host: _Host,
    leases: Mapping[str, NetworkLease],
    attachment: Attachment,
    namespaces: Collection[int] | None,
) -> Iterator[tuple[str, int, str]]:
    """For interfaces of the container: the network, the number of the host's end, and what it lacks; '' for nothing."""
    path, interfaces = attachment.namespace_path, attachment.interfaces
    if path is None or not interfaces:
        return
    if not is_pinned(path):
        yield interfaces[0].network, 0, "the network namespace was removed"
        return
    namespace = connection.namespace_number(path)
    ports = host.ports.get(namespace, ())
    bridged = [each for each in interfaces if each.network not in leases or leases[each.network].bridge]
    for port, network in ports:
        bridge = host.by_name.get(leases[network].bridge) if network in leases else None
        yield network, port.number, _of_port(port, bridge)
    if namespaces is None or namespace in namespaces or len(ports) < len(bridged):
        there = inside(path, _look_inside)
        for interface in interfaces:
            yield interface.network, 0, _of_interface(interface, there)


def _of_port(port: Link, bridge: Link | None) -> str:
    """What the host's end of a container's interface lacks."""
    if bridge is None:
        return "the bridge was removed"
    if port.master != bridge.number:
        return "the interface was taken off the bridge"
    return "" if port.up else "the interface was turned off"


def _of_interface(interface: Interface, there: _Inside) -> str:
    found = there.links.get(interface.device)
    if found is None:
        return f"{interface.device} was removed"
    if not found.up:
        return f"{interface.device} was turned off"
    for address, prefix in interface.all_addresses:
        if Address(found.number, address, prefix) not in there.addresses:
            return f"the address {address} was removed"
    routes = {route.family for route in there.routes if route.prefix == 0}
    if not {family_of(gateway) for gateway in interface.default_gateways} <= routes:
        return "the default route was removed"
    return ""


class _Inside(NamedTuple):
    links: dict[str, Link]
    addresses: frozenset[Address]
    routes: frozenset[Route]


def _look_inside() -> _Inside:
    with Netlink() as own:
        links = {found.name: found for found in own.links()}
        return _Inside(links, frozenset(own.addresses()), frozenset(own.routes()))


def _summary(losses: Sequence[str]) -> str:
    """A clause for the reason of an action."""
    different = list(dict.fromkeys(losses))
    more = len(different) - SHOWN
    return ", ".join(different[:SHOWN]) + (f" and {more} more" if more > 0 else "")
