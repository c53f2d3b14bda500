"""Which interfaces a container has, from the endpoints that it is given and the leases of their networks. Pure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from orchestra.driver.local.net import link
from orchestra.driver.local.net.attachment import Interface
from orchestra.errors import FatalError
from orchestra.model.names import short_id
from orchestra.model.network_driver import NetworkDriver
from orchestra.record import replace
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from orchestra.driver.local.net.ipam import NetworkLease, Pool
    from orchestra.model.container import ContainerSpec, Endpoint

MAC_ADDRESS = regex(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def interfaces_of(
    endpoints: Sequence[Endpoint],
    leases: Mapping[str, NetworkLease],
    container: str,
    container_id: str,
    names: Sequence[str],
) -> tuple[Interface, ...]:
    """The interfaces of a new container. leases: by network, with its address. names: see ``Attachment``."""
    taken = {endpoint.interface_name for endpoint in endpoints}
    found: list[Interface] = []
    for endpoint in endpoints:
        lease = leases[endpoint.network]
        device = endpoint.interface_name or free_device(lease, taken)
        taken.add(device)
        found.append(interface_of(endpoint, lease, container, container_id, names, device))
    return arranged(found)


def interface_of(
    endpoint: Endpoint, lease: NetworkLease, container: str, container_id: str, names: Sequence[str], device: str
) -> Interface:
    """One interface, before it is known which one publishes. Raises FatalError if its hardware address is malformed."""
    address, prefix, gateway = _address(lease, lease.ipv4, container_id)
    ipv6_address, ipv6_prefix, ipv6_gateway = _address(lease, lease.ipv6, container_id)
    return Interface(
        network=endpoint.network,
        device=device,
        address=address,
        prefix=prefix,
        gateway=gateway,
        ipv6_address=ipv6_address,
        ipv6_prefix=ipv6_prefix,
        ipv6_gateway=ipv6_gateway,
        mac_address=_mac_address(endpoint, lease, container, address or ipv6_address),
        names=tuple(dict.fromkeys((*names, *endpoint.aliases))),
        link_local_addresses=endpoint.link_local_addresses,
        settings=tuple((path.replace("/IFNAME/", f"/{device}/"), value) for path, value in endpoint.settings),
        priority=endpoint.priority,
        gateway_priority=endpoint.gateway_priority,
        config_hash=endpoint.config_hash,
    )


def arranged(interfaces: Iterable[Interface]) -> tuple[Interface, ...]:
    """In their order, with the one chosen that published ports and the default route use."""
    ordered = sorted(interfaces, key=lambda interface: (-interface.priority, interface.network))
    leads = _first(interface for interface in ordered if interface.gateway)
    leads_ipv6 = _first(interface for interface in ordered if interface.ipv6_gateway)
    return tuple(
        replace(interface, publishes=interface is leads, publishes_ipv6=interface is leads_ipv6)
        for interface in ordered
    )


def _first(interfaces: Iterable[Interface]) -> Interface | None:
    return max(interfaces, key=lambda interface: interface.gateway_priority, default=None)


def _address(lease: NetworkLease, pool: Pool | None, container_id: str) -> tuple[str, int, str]:
    """The container's address, the length of its prefix, and where it sends to others; empty without the family."""
    if pool is None:
        return "", 0, ""
    return pool.addresses[container_id], pool.gateway_interface.network.prefixlen, lease.gateway_of(pool)


def _mac_address(endpoint: Endpoint, lease: NetworkLease, container: str, address: str) -> str:
    """Empty for that of the parent. Raises FatalError."""
    given = mac_address_of(endpoint, container)
    if lease.parent is None or lease.parent.driver is not NetworkDriver.IPVLAN:
        return given or link.mac_address(address)
    if given:
        hint = "remove mac_address, or use the driver macvlan"
        message = f"container {container}: on the ipvlan network {endpoint.network} it has its parent's mac_address"
        raise FatalError(message, hint=hint)
    return ""


def free_device(lease: NetworkLease, taken: Collection[str]) -> str:
    """The first numbered name that no interface has."""
    numbered = (f"{lease.interface_prefix}{number}" for number in itertools.count())
    return next(name for name in numbered if name not in taken)


def names_of(container: ContainerSpec, container_id: str) -> tuple[str, ...]:
    """What a container is called on all its networks, without their aliases.

    Of a host name with dots, no part is a name of its own: that may be another container's.
    """
    name = container.hostname
    whole = f"{name or container.name}.{container.domainname}" if container.domainname else ""
    names = (container.service, container.name, short_id(container_id), name, whole)
    return tuple(dict.fromkeys(filter(None, names)))


def mac_address_of(endpoint: Endpoint, container: str) -> str:
    """In the kernel's spelling; empty if the file gives none. Raises FatalError if it is malformed."""
    mac_address = endpoint.mac_address.lower().replace("-", ":")
    if mac_address and not MAC_ADDRESS.fullmatch(mac_address):
        hint = "write six pairs of hexadecimal digits, such as 02:42:ac:11:65:43"
        raise FatalError(f"container {container}: mac_address {endpoint.mac_address} is malformed", hint=hint)
    return mac_address
