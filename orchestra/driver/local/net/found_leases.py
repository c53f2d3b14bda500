"""The leases without their file: found from bridges, attachments, and the networks that stacks asked for."""

from __future__ import annotations

import json
import os
from ipaddress import ip_address, ip_interface, ip_network
from typing import TYPE_CHECKING

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net.ipam import GatewayMode, Leases, NetworkLease, Pool
from orchestra.driver.local.net.link import bridge_name, bridges
from orchestra.driver.local.net.mark import home_hash
from orchestra.driver.local.net.options import (
    connects_containers,
    gateway_mode_ipv6,
    interface_prefix,
    masquerades,
    parse_mtu,
    parse_parent,
    source_address,
)
from orchestra.linux.network.netlink import Address, Netlink
from orchestra.model.codec import decode
from orchestra.model.desired import NetworkSpec
from orchestra.model.names import NetworkName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.driver.local.net.attachment import Interface
    from orchestra.home import Home, StackHome


def find_leases(home: Home) -> Leases:
    """The lease of every network of the home that has a bridge, or a parent, and a known owner. Raises OSError."""
    with Netlink() as connection:
        own = [(link, mark.network) for link, mark in bridges(connection) if mark.home == home_hash(home)]
        addresses = [found for found in connection.addresses() if not ip_address(found.address).is_link_local]
        gateways = {(found.link, ":" in found.address): found for found in addresses}
    stacks = [home.stack(name) for name in sorted({*_list(home.stacks_data), *_list(home.stacks_run)})]
    specs = {spec.name: (stack.name, spec) for stack in stacks for spec in load_specs(stack)}
    attached = _load_interfaces(stacks)
    found: dict[str, NetworkLease] = {}
    global_id = ""
    for maker, declared in specs.values():
        if lease := _on_parent(home, maker, declared, attached):
            found[declared.name] = lease
    for link, name in own:
        users = [(stack, container, port) for stack, container, port in attached if port.network == name]
        stack, spec = specs.get(NetworkName(name)) or (_likely_owner(name, [user for user, _, _ in users]), None)
        ipv4, ipv6 = gateways.get((link.number, False)), gateways.get((link.number, True))
        if not stack or (ipv4 is None and ipv6 is None):
            continue
        ranges = (spec.ip_range, spec.ipv6_ip_range) if spec else ("", "")
        pools = (
            ipv4 and _pool(ipv4, ranges[0], {key: port.address for _, key, port in users}),
            ipv6 and _pool(ipv6, ranges[1], {key: port.ipv6_address for _, key, port in users}),
        )
        found[name] = NetworkLease(
            stack=stack,
            bridge=link.name,
            subnet="",
            gateway="",
            config_hash=spec.config_hash if spec else "",
            internal=spec.internal if spec else bool(users) and not any(_leads_out(port) for _, _, port in users),
            masquerade=spec is None or masquerades(spec),
            source=source_address(spec) if spec else "",
            between=spec is None or connects_containers(spec),
            interface_prefix=interface_prefix(spec) if spec else "eth",
            mtu=parse_mtu(spec) if spec else 1500,
            labels=spec.labels if spec else {},
            driver_options=spec.driver_options if spec else {},
            reserved=spec.reserved if spec else (),
            gateway_mode_ipv6=gateway_mode_ipv6(spec) if spec else GatewayMode.NAT,
        ).with_pools(*pools)
        if ipv6 is not None and not (spec and spec.ipv6_subnet):
            global_id = ip_address(ipv6.address).packed[1:6].hex()
    return Leases(found, global_id)


def _on_parent(
    home: Home, stack: str, spec: NetworkSpec, attached: Sequence[tuple[str, str, Interface]]
) -> NetworkLease | None:
    """None for another network, and for one whose subnets are not known."""
    parent = parse_parent(spec, bridge_name(home, spec.name))
    users = [(container, port) for _, container, port in attached if port.network == spec.name]
    addresses = {key: (port.address, port.prefix) for key, port in users}
    ipv6_addresses = {key: (port.ipv6_address, port.ipv6_prefix) for key, port in users}
    ipv4 = _pool_on_parent(spec.subnet, spec.gateway, spec.ip_range, addresses)
    ipv6 = _pool_on_parent(spec.ipv6_subnet, spec.ipv6_gateway, spec.ipv6_ip_range, ipv6_addresses)
    if parent is None or not (ipv4 or ipv6):
        return None
    return NetworkLease(
        stack=stack,
        bridge="",
        subnet="",
        gateway="",
        config_hash=spec.config_hash,
        internal=spec.internal,
        interface_prefix=interface_prefix(spec),
        labels=spec.labels,
        driver_options=spec.driver_options,
        reserved=spec.reserved,
        parent=parent,
    ).with_pools(ipv4, ipv6)


def _pool_on_parent(subnet: str, gateway: str, ip_range: str, addresses: Mapping[str, tuple[str, int]]) -> Pool | None:
    """addresses: by container, with the length of the prefix; '' without this family."""
    known = [ip_interface(f"{address}/{prefix}").network for address, prefix in addresses.values() if address]
    if not subnet and not known:
        return None
    whole = ip_network(subnet) if subnet else known[0]
    first = Address(0, gateway or str(whole.network_address + 1), whole.prefixlen)
    return _pool(first, ip_range, {key: address for key, (address, _) in addresses.items()})


def _pool(gateway: Address, ip_range: str, addresses: Mapping[str, str]) -> Pool:
    given = {container: address for container, address in addresses.items() if address}
    subnet = str(ip_interface(f"{gateway.address}/{gateway.prefix}").network)
    last = max(given.values(), key=lambda address: int(ip_address(address)), default="")
    return Pool(subnet, gateway.address, ip_range, given, last)


def _leads_out(interface: Interface) -> bool:
    return bool(interface.gateway or interface.ipv6_gateway)


def _likely_owner(network: str, users: list[str]) -> str:
    """The stack, of those that use the network, whose name it begins with, or the first; empty if there are none."""
    return next((stack for stack in users if network.startswith(f"{stack}_")), users[0] if users else "")


def load_specs(stack: StackHome) -> list[NetworkSpec]:
    """The networks that the stack makes, from its last request; none if that cannot be read."""
    try:
        with open(stack.desired, "rb") as file:
            specs = [decode(NetworkSpec, spec) for spec in json.load(file).get("networks", ())]
    except (FileNotFoundError, ValueError, TypeError, AttributeError, RecursionError):
        return []
    return [spec for spec in specs if not spec.external]


def _load_interfaces(stacks: list[StackHome]) -> list[tuple[str, str, Interface]]:
    """Stack, container id and interface."""
    entries = [(stack.name, entry.attachment) for stack in stacks for entry in attachments.load_all(stack)]
    return [(stack, made.container_id, interface) for stack, made in entries for interface in made.interfaces]


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []
