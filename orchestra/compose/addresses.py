"""Addresses of networks and containers in the file: whether they are consistent, checked before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.endpoint_options import check_endpoint_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ipaddress import IPv4Address, IPv4Network

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.network import Attachment, Network, Pool
    from orchestra.compose.schema.service import Service

    Refuse = Callable[[Path, str, str], None]


def static_addresses(services: Mapping[str, Service]) -> dict[str, tuple[str, ...]]:
    """By the network's key in the file: the addresses on it that services ask for, whether they are active or not."""
    found: dict[str, set[str]] = {}
    for service in services.values():
        for network, attachment in (service.networks or {}).items():
            if attachment is not None and attachment.ipv4_address:
                found.setdefault(network, set()).add(attachment.ipv4_address)
    return {network: tuple(sorted(addresses)) for network, addresses in found.items()}


def pool_of(network: Network) -> tuple[int, Pool] | None:
    """The pool that is applied, with its place in the list: the first with an IPv4 subnet."""
    pools = ((index, pool) for index, pool in enumerate(network.ipam.config) if pool.subnet and ":" not in pool.subnet)
    return next(pools, None)


def check_addresses(context: Context, replicas: Callable[[str], int]) -> None:
    """Report addresses that do not fit to the context's problems. replicas: how many containers a service has."""

    def refuse(place: Path, message: str, hint: str = "") -> None:
        context.problems.error("invalid-value", message, context.span(place), place, hint)

    taken: dict[str, dict[str, str]] = {}
    subnets: dict[str, IPv4Network | None] = {}
    networks = context.stack.networks
    for key in networks:
        pool = pool_of(networks[key])
        if pool is not None:
            taken[key] = {}
            place: Path = ("networks", key, "ipam", "config", pool[0])
            subnets[key] = _check_pool(pool[1], place, taken[key], refuse)
    for key, service in context.stack.services.items():
        for name, attachment in (service.networks or {}).items():
            if attachment is None:
                continue
            _check_endpoint(context, attachment, ("services", key, "networks", name), refuse)
            if not attachment.ipv4_address:
                continue
            place = ("services", key, "networks", name, "ipv4_address")
            if name in networks and not networks[name].external and name not in subnets:
                # Docker Compose loads this too, and the engine refuses it: a subnet that it chooses has other
                # addresses.
                hint = f"give the network a subnet: ipam: {{config: [{{subnet: {_around(attachment.ipv4_address)}}}]}}"
                message = f"network {name} has no subnet that contains {attachment.ipv4_address}"
                context.problems.warn("invalid-value", message, context.span(place), place, hint)
                continue
            count = replicas(key)
            if count > 1:
                refuse(place, f"{count} containers of {key} cannot all have the address {attachment.ipv4_address}", "")
            owners = taken.setdefault(name, {})
            _claim(attachment.ipv4_address, f"service {key}", place, subnets.get(name), owners, refuse)


def _check_endpoint(context: Context, attachment: Attachment, place: Path, refuse: Refuse) -> None:
    for option in check_endpoint_options(attachment, place, refuse):
        where = (*place, "driver_opts", option)
        context.problems.not_apply(f"unknown driver option {option}", context.span(where, key=True), where)
    for index, text in enumerate(attachment.link_local_ips):
        where = (*place, "link_local_ips", index)
        address = _parse(text)
        if ":" in text:
            context.problems.not_apply("networks have IPv4 addresses only", context.span(where), where)
        elif address is None or not address.is_link_local:
            refuse(where, f"{text} is not a link-local address", "use an address of 169.254.0.0/16")


def _check_pool(pool: Pool, place: Path, owners: dict[str, str], refuse: Refuse) -> IPv4Network | None:
    """The subnet, None if it is invalid; adds the addresses that are taken in it to ``owners``."""
    from ipaddress import IPv4Network

    try:
        subnet = IPv4Network(pool.subnet or "")
    except ValueError as error:
        refuse((*place, "subnet"), f"{pool.subnet} is not an IPv4 subnet: {error}", "")
        return None
    if pool.gateway:
        _claim(pool.gateway, "the gateway", (*place, "gateway"), subnet, owners, refuse)
    else:
        owners[str(subnet.network_address + 1)] = "the gateway"
    for name, address in (pool.aux_addresses or {}).items():
        _claim(address, f"auxiliary address {name}", (*place, "aux_addresses", name), subnet, owners, refuse)
    if pool.ip_range:
        try:
            inside = IPv4Network(pool.ip_range).subnet_of(subnet)
        except ValueError as error:
            refuse((*place, "ip_range"), f"{pool.ip_range} is not an IPv4 range: {error}", "")
        else:
            if not inside:
                refuse((*place, "ip_range"), f"the range {pool.ip_range} is not within the subnet {subnet}", "")
    return subnet


def _claim(
    text: str, owner: str, place: Path, subnet: IPv4Network | None, owners: dict[str, str], refuse: Refuse
) -> None:
    address = _parse(text)
    if address is None:
        refuse(place, f"{text} is not an IPv4 address", "")
    elif subnet is not None and not _is_host(address, subnet):
        refuse(place, f"{text} is not a host address of {subnet}", "")
    elif (other := owners.setdefault(str(address), owner)) != owner:
        refuse(place, f"the address {text} of {owner} is already used by {other}", "choose another address")


def _parse(text: str) -> IPv4Address | None:
    from ipaddress import IPv4Address

    try:
        return IPv4Address(text)
    except ValueError:
        return None


def _is_host(address: IPv4Address, subnet: IPv4Network) -> bool:
    return address in subnet and address not in (subnet.network_address, subnet.broadcast_address)


def _around(text: str) -> str:
    """A subnet that contains the address, for a hint."""
    return f"{text.rpartition('.')[0]}.0/24"
