"""Which network has which subnet, and which container which address: values and decisions. ``lease_file`` keeps them.

A *lease* of a network is its subnet with the addresses given out of it. Two homes on one host do not see each other's
leases, so every decision gets what the host's routes and addresses occupy, as ``taken``.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time by the codec
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING

from orchestra.errors import FatalError
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from random import Random


# The half of 10/8 that sites rarely use, cut into subnets of at least 254 hosts.
POOL = IPv4Network("10.128.0.0/9")
PREFIX = 24
SPARE = 2
"""How many times the containers of the file must fit: while some are replaced, and when more are asked for later."""


class NetworkLease(Record):
    """One network of the home, made by ``stack``.

    source: the host's address that packets leave with, '' for that of the interface by which they leave. between:
    whether the containers reach each other. interface_prefix: what the names of their interfaces begin with. labels,
    driver_options: as in the file. created_at: Unix time.
    ip_range: the range to take addresses from, '' for the whole subnet; reserved: addresses that no container gets.
    addresses: container id to IPv4 address; last: the address given out last, so that the next one is not an address
    that other programs may still remember.
    """

    stack: str
    bridge: str
    subnet: str
    gateway: str
    config_hash: str = ""
    internal: bool = False
    masquerade: bool = True
    source: str = ""
    between: bool = True
    interface_prefix: str = "eth"
    mtu: int = 1500
    labels: Mapping[str, str] = {}
    driver_options: Mapping[str, str] = {}
    created_at: float = 0.0
    ip_range: str = ""
    reserved: tuple[str, ...] = ()
    addresses: Mapping[str, str] = {}
    last: str = ""

    @property
    def gateway_interface(self) -> IPv4Interface:
        return IPv4Interface(f"{self.gateway}/{IPv4Network(self.subnet).prefixlen}")


class Leases(Record):
    """All networks of the home, by name on the host."""

    networks: Mapping[str, NetworkLease] = {}

    def with_network(self, name: str, lease: NetworkLease) -> Leases:
        return Leases({**self.networks, name: lease})

    def without_network(self, name: str) -> Leases:
        return Leases({key: lease for key, lease in self.networks.items() if key != name})

    def without_containers(self, ids: Collection[str]) -> Leases:
        """Free the addresses of these containers."""
        return Leases({name: _keep(lease, lease.addresses.keys() - set(ids)) for name, lease in self.networks.items()})

    def of_living(self, ids: Collection[str]) -> Leases:
        """Keep only the addresses of these containers."""
        return Leases({name: _keep(lease, lease.addresses.keys() & set(ids)) for name, lease in self.networks.items()})


def choose_subnet(taken: Iterable[IPv4Network], random: Random, containers: int = 0) -> IPv4Network:
    """A random subnet of the pool that overlaps nothing in ``taken`` and has room for so many containers.

    Raises FatalError if none is left.
    """
    occupied = [(int(net.network_address), int(net.broadcast_address)) for net in taken]
    prefix = max(min(PREFIX, 32 - (SPARE * containers + 2).bit_length()), POOL.prefixlen)
    size = 1 << (32 - prefix)
    start = int(POOL.network_address)
    count = POOL.num_addresses // size
    first = random.randrange(count)
    for step in range(count):
        low = start + (first + step) % count * size
        high = low + size - 1
        if all(high < other_low or low > other_high for other_low, other_high in occupied):
            return IPv4Network((low, prefix))
    hint = "remove networks, or give the network a subnet: ipam: {config: [{subnet: 192.168.7.0/24}]}"
    raise FatalError(f"no subnet of the size /{prefix} in {POOL} is free: the host's routes use them all", hint=hint)


def check_subnet(name: str, subnet: str, gateway: str, taken: Mapping[IPv4Network, str]) -> tuple[str, str]:
    """The subnet and gateway that the file asks for, normalised; the gateway defaults to the first host.

    taken: networks in use, each with a description of its user. Raises FatalError if one is malformed or in use.
    """
    try:
        network = IPv4Network(subnet)
    except ValueError as error:
        raise FatalError(f"network {name}: subnet {subnet} is not an IPv4 subnet: {error}") from None
    if network.prefixlen > 30:
        raise FatalError(f"network {name}: subnet {subnet} is too small for containers")
    for other, use in taken.items():
        if network.overlaps(other):
            hint = "choose another subnet, or remove the network that uses this one"
            raise FatalError(f"network {name}: subnet {subnet} overlaps {other}, {use}", hint=hint)
    if not gateway:
        return str(network), str(network.network_address + 1)
    return str(network), str(_host(f"network {name}: gateway", gateway, network))


def lease_address(
    name: str, lease: NetworkLease, container_id: str, wanted: str = "", kept: Collection[str] = ()
) -> NetworkLease:
    """The lease with an address for the container; if it has one already, it keeps that.

    wanted: the ``ipv4_address`` in the file; kept: the addresses that it gives to other containers. Raises FatalError
    if the address does not fit or none is free.
    """
    held = lease.addresses.get(container_id)
    if held is not None and wanted in ("", held):
        return lease
    network = IPv4Network(lease.subnet)
    others = {address: other for other, address in lease.addresses.items() if other != container_id}
    if wanted:
        address = str(_host(f"network {name}: ipv4_address", wanted, network))
        if address == lease.gateway:
            raise FatalError(f"network {name}: ipv4_address {wanted} is the network's gateway")
        if address in lease.reserved:
            raise FatalError(f"network {name}: ipv4_address {wanted} is one of the network's aux_addresses")
        if address in others:
            hint = "that container was given it before the file set the address: recreate that container"
            raise FatalError(f"network {name}: ipv4_address {wanted} is leased to another container", hint=hint)
        return replace(lease, addresses={**lease.addresses, container_id: address})
    address = _next_free(name, lease, network, {*others, *lease.reserved, *kept})
    return replace(lease, addresses={**lease.addresses, container_id: address}, last=address)


def _keep(lease: NetworkLease, ids: Collection[str]) -> NetworkLease:
    if len(ids) == len(lease.addresses):
        return lease
    return replace(lease, addresses={key: value for key, value in lease.addresses.items() if key in ids})


def _next_free(name: str, lease: NetworkLease, network: IPv4Network, occupied: Collection[str]) -> str:
    """Round robin: an address is reused only after all others, when no neighbour remembers its last owner."""
    given = IPv4Network(lease.ip_range) if lease.ip_range else network
    low = max(int(network.network_address) + 1, int(given.network_address))
    high = min(int(network.broadcast_address) - 1, int(given.broadcast_address))
    start = int(IPv4Address(lease.last)) + 1 if lease.last else low
    for step in range(high - low + 1):
        address = str(IPv4Address(low + (start - low + step) % (high - low + 1)))
        if address != lease.gateway and address not in occupied:
            return address
    raise FatalError(
        f"network {name}: no address in {given} is free",
        hint=f"give the network a larger {'ip_range' if lease.ip_range else 'subnet'}",
    )


def _host(what: str, text: str, network: IPv4Network) -> IPv4Address:
    try:
        address = IPv4Address(text)
    except ValueError:
        raise FatalError(f"{what} {text} is not an IPv4 address") from None
    if address not in network or address in (network.network_address, network.broadcast_address):
        raise FatalError(f"{what} {text} is not a host address of {network}")
    return address
