"""Addresses of networks and containers in the file: whether they are consistent, checked before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.complete import DEFAULT_NETWORK
from orchestra.compose.endpoint_options import check_endpoint_options
from orchestra.compose.network_drivers import check_drivers
from orchestra.compose.shorthand import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.network import Attachment, Network, Pool
    from orchestra.compose.schema.service import Service

    Refuse = Callable[[Path, str, str], None]
    Address = IPv4Address | IPv6Address
    Subnet = IPv4Network | IPv6Network


def static_addresses(services: Mapping[str, Service]) -> dict[str, tuple[str, ...]]:
    """By the network's key in the file: the addresses on it that services ask for, whether they are active or not."""
    found: dict[str, set[str]] = {}
    for service in services.values():
        for network, attachment in (service.networks or {}).items():
            if attachment is not None:
                found.setdefault(network, set()).update(usual_spelling(text) for _, text in _wanted(attachment))
    return {network: tuple(sorted(addresses)) for network, addresses in found.items() if addresses}


def _wanted(attachment: Attachment) -> list[tuple[int, str]]:
    """The addresses that a service asks for on a network, with the version of their family."""
    both = ((4, attachment.ipv4_address), (6, attachment.ipv6_address))
    return [(version, text) for version, text in both if text]


def usual_spelling(text: str) -> str:
    """Of an address, in which an IPv6 one may be written in several ways; anything else stays as it is."""
    address = _parse(text)
    return text if address is None else str(address)


def has_family(network: Network | None, version: int) -> bool:
    """Whether a network has IPv4, or IPv6. An external one may have both."""
    if network is None:
        return version == 4
    if network.external:
        return True
    return network.enable_ipv4 is not False if version == 4 else bool(network.enable_ipv6)


def pools_of(network: Network) -> dict[int, tuple[int, Pool]]:
    """By version, the pool that is applied with its place in the list: the first with a subnet of a family it has."""
    found: dict[int, tuple[int, Pool]] = {}
    for index, pool in enumerate(network.ipam.config):
        if pool.subnet and has_family(network, _version(pool.subnet)):
            found.setdefault(_version(pool.subnet), (index, pool))
    return found


def _version(text: str) -> int:
    return 6 if ":" in text else 4


def check_addresses(context: Context, replicas: Callable[[str], int]) -> None:
    """Report addresses that do not fit to the context's problems. replicas: how many containers a service has."""

    def refuse(place: Path, message: str, hint: str = "") -> None:
        context.problems.error("invalid-value", message, context.span(place), place, hint)

    check_drivers(context, refuse)
    taken: dict[str, dict[str, str]] = {}
    subnets: dict[tuple[str, int], Subnet | None] = {}
    networks = context.stack.networks
    for key, network in networks.items():
        if not has_family(network, 4) and not has_family(network, 6):
            refuse(
                ("networks", key, "enable_ipv4"), f"network {key} has neither IPv4 nor IPv6", "set enable_ipv6: true"
            )
        for version, (index, pool) in pools_of(network).items():
            place: Path = ("networks", key, "ipam", "config", index)
            subnets[key, version] = _check_pool(pool, place, taken.setdefault(key, {}), refuse)
    for key, service in context.stack.services.items():
        _check_ports(service, ("services", key, "ports"), networks, refuse)
        for name, attachment in (service.networks or {}).items():
            if attachment is None:
                continue
            has_ipv6 = has_family(networks.get(name), 6)
            _check_endpoint(context, attachment, ("services", key, "networks", name), refuse, has_ipv6=has_ipv6)
            for version, text in _wanted(attachment):
                place = ("services", key, "networks", name, f"ipv{version}_address")
                if not has_family(networks.get(name), version):
                    message = f"network {name} has no IPv{version}"
                    hint = f"set enable_ipv{version}: true on it"
                    context.problems.not_apply(message, context.span(place), place, hint)
                    continue
                if name in networks and not networks[name].external and (name, version) not in subnets:
                    # Docker Compose loads this too, and the engine refuses it: a subnet that it chooses has other
                    # addresses.
                    hint = f"give the network a subnet: ipam: {{config: [{{subnet: {_around(text)}}}]}}"
                    message = f"network {name} has no subnet that contains {text}"
                    context.problems.warn("invalid-value", message, context.span(place), place, hint)
                    continue
                count = replicas(key)
                if count > 1:
                    refuse(place, f"{count} containers of {key} cannot all have the address {text}", "")
                owners = taken.setdefault(name, {})
                _claim(text, f"service {key}", place, version, subnets.get((name, version)), owners, refuse)


def _check_ports(service: Service, place: Path, networks: Mapping[str, Network], refuse: Refuse) -> None:
    """A port is published from the address that the container has in the family of the host's address."""
    joined = [networks.get(name) for name in service.networks or {DEFAULT_NETWORK: None}]
    for index, port in enumerate(service.ports):
        version = _version(port.host_ip or "")
        if port.protocol.lower() not in PROTOCOLS:
            refuse((*place, index, "protocol"), f"unknown protocol {port.protocol!r}", "use tcp, udp or sctp")
        if port.host_ip == "::1":
            refuse(
                (*place, index),
                "ports cannot be published at ::1: the kernel forwards nothing from it",
                "use 127.0.0.1",
            )
        elif port.host_ip and not service.network_mode and not any(has_family(network, version) for network in joined):
            message = f"no network of the service has IPv{version} for {port.host_ip}"
            refuse((*place, index), message, f"set enable_ipv{version}: true on one of them")


def _check_endpoint(context: Context, attachment: Attachment, place: Path, refuse: Refuse, *, has_ipv6: bool) -> None:
    options, name = attachment.driver_opts or {}, attachment.interface_name or ""
    for option in check_endpoint_options(options, name, place, refuse):
        where = (*place, "driver_opts", option)
        context.problems.not_apply(f"unknown driver option {option}", context.span(where, key=True), where)
    for index, text in enumerate(attachment.link_local_ips):
        where = (*place, "link_local_ips", index)
        address = _parse(text)
        if address is None or not address.is_link_local:
            refuse(where, f"{text} is not a link-local address", "use an address of 169.254.0.0/16 or fe80::/64")
        elif address.version == 6 and not has_ipv6:
            message = f"network {place[-1]} has no IPv6"
            context.problems.not_apply(message, context.span(where), where, "set enable_ipv6: true on it")


def _check_pool(pool: Pool, place: Path, owners: dict[str, str], refuse: Refuse) -> Subnet | None:
    """The subnet, None if it is invalid; adds the addresses that are taken in it to ``owners``."""
    from ipaddress import ip_network

    version = _version(pool.subnet or "")
    try:
        subnet = ip_network(pool.subnet or "")
    except ValueError as error:
        refuse((*place, "subnet"), f"{pool.subnet} is not an IPv{version} subnet: {error}", "")
        return None
    if pool.gateway:
        _claim(pool.gateway, "the gateway", (*place, "gateway"), version, subnet, owners, refuse)
    else:
        owners[str(subnet.network_address + 1)] = "the gateway"
    for name, address in (pool.aux_addresses or {}).items():
        _claim(address, f"auxiliary address {name}", (*place, "aux_addresses", name), version, subnet, owners, refuse)
    if pool.ip_range:
        try:
            given = ip_network(pool.ip_range)
        except ValueError as error:
            refuse((*place, "ip_range"), f"{pool.ip_range} is not an IPv{version} range: {error}", "")
        else:
            if not (given.version == subnet.version and given.subnet_of(subnet)):  # type: ignore[arg-type]
                refuse((*place, "ip_range"), f"the range {pool.ip_range} is not within the subnet {subnet}", "")
    return subnet


def _claim(
    text: str, owner: str, place: Path, version: int, subnet: Subnet | None, owners: dict[str, str], refuse: Refuse
) -> None:
    address = _parse(text)
    if address is None or address.version != version:
        refuse(place, f"{text} is not an IPv{version} address", "")
    elif subnet is not None and not _is_host(address, subnet):
        refuse(place, f"{text} is not a host address of {subnet}", "")
    elif (other := owners.setdefault(str(address), owner)) != owner:
        refuse(place, f"the address {text} of {owner} is already used by {other}", "choose another address")


def _parse(text: str) -> Address | None:
    from ipaddress import ip_address

    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_host(address: Address, subnet: Subnet) -> bool:
    """The last address of an IPv6 subnet is one like any other."""
    is_broadcast = subnet.version == 4 and address == subnet.broadcast_address
    return address in subnet and address != subnet.network_address and not is_broadcast


def _around(text: str) -> str:
    """A subnet that contains the address, for a hint."""
    from ipaddress import ip_network

    if _parse(text) is None:
        return "192.168.7.0/24"
    return str(ip_network(f"{text}/{64 if ':' in text else 24}", strict=False))
