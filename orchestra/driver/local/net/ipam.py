"""Which network has which subnet, and which container which address: values and decisions. ``lease_file`` keeps them.

A *lease* of a network is its subnet with the addresses given out of it. Two homes on one host do not see each other's
leases, so every decision gets what the host's routes and addresses occupy, as ``taken``.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping  # noqa: TC003 - read at run time by the codec
from enum import StrEnum
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import TYPE_CHECKING

from orchestra.driver.local.net.parent import Parent  # noqa: TC001 - the same
from orchestra.errors import FatalError
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from ipaddress import IPv4Address, IPv6Address
    from random import Random

Subnet = IPv4Network | IPv6Network

# The half of 10/8 that sites rarely use, cut into subnets of at least 254 hosts.
POOL = IPv4Network("10.128.0.0/9")
PREFIX = 24
# A home's networks get subnets of 64 bits out of its own 48 (RFC 4193 section 3.1).
IPV6_PREFIX, IPV6_HOME_PREFIX, IPV6_LOCAL = 64, 48, 0xFD
SPARE = 2
"""How many times the containers of the file must fit: while some are replaced, and when more are asked for later."""
LINK_LOCAL_GATEWAY = "fe80::1/64"
LARGER = 4
"""How many bits an address range is longer that is suggested instead of a full one."""
ADDRESSES_MIN = 4
"""Of a subnet: its first, the gateway's, a container's, and in IPv4 the broadcast address."""


class GatewayMode(StrEnum):
    """What the machine does for IPv6 of a network, with Docker's names of ``gateway_mode_ipv6``.

    NAT: it translates addresses, and publishes ports at its own. ROUTED: nothing is translated; others reach published
    ports at the containers' own addresses. NAT_UNPROTECTED: as NAT, and others reach every port at these.
    """

    NAT = "nat"
    NAT_UNPROTECTED = "nat-unprotected"
    ROUTED = "routed"


class Pool(Record):
    """The addresses of one family on a network.

    subnet, gateway: in their usual spelling. ip_range: the range to take addresses from, '' for the whole subnet.
    addresses: container id to address; last: the address given out last, so that the next one is not an address that
    other programs may still remember.
    """

    subnet: str
    gateway: str
    ip_range: str = ""
    addresses: Mapping[str, str] = {}
    last: str = ""

    @property
    def gateway_interface(self) -> IPv4Interface | IPv6Interface:
        return ip_interface(f"{self.gateway}/{ip_network(self.subnet).prefixlen}")


class NetworkLease(Record):
    """One network of the home, made by ``stack``. It has IPv4 unless its subnet is '', and IPv6 if it has that pool.

    bridge: its bridge's name, '' if it has a parent instead.
    source: the host's address that packets leave with, '' for that of the interface by which they leave. between:
    whether the containers reach each other. interface_prefix: what the names of their interfaces begin with. labels,
    driver_options: as in the file. created_at: Unix time. reserved: addresses that no container gets. subnet, gateway,
    ip_range, addresses, last: those of the IPv4 pool.
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
    ipv6: Pool | None = None
    gateway_mode_ipv6: GatewayMode = GatewayMode.NAT
    parent: Parent | None = None

    @property
    def device(self) -> str:
        """The interface of the host that the network is there with."""
        return self.parent.interface if self.parent else self.bridge

    @property
    def ipv4(self) -> Pool | None:
        if not self.subnet:
            return None
        return Pool(self.subnet, self.gateway, self.ip_range, self.addresses, self.last)

    @property
    def pools(self) -> tuple[Pool, ...]:
        """Of each family that the network has, IPv4 first."""
        return tuple(pool for pool in (self.ipv4, self.ipv6) if pool is not None)

    @property
    def host_addresses(self) -> tuple[IPv4Interface | IPv6Interface, ...]:
        """Those of the machine on the network.

        For packets of others the kernel asks for neighbours by a link-local address only (RFC 4861 section 7.2.2).
        """
        gateways = (pool.gateway_interface for pool in self.pools)
        return (*gateways, *([IPv6Interface(LINK_LOCAL_GATEWAY)] if self.ipv6 else []))

    def gateway_of(self, pool: Pool) -> str:
        """Where a container sends what is for others: '' for nowhere, the unspecified address for the wire itself."""
        if self.internal or (self.parent and self.parent.is_own):
            return ""
        if self.parent and self.parent.routes:
            return "::" if ":" in pool.gateway else "0.0.0.0"
        return pool.gateway

    @property
    def containers(self) -> frozenset[str]:
        """The ids of those that have an address."""
        return frozenset(self.addresses) | frozenset(self.ipv6.addresses if self.ipv6 else ())

    def with_pools(self, ipv4: Pool | None, ipv6: Pool | None) -> NetworkLease:
        flat = ipv4 or Pool("", "")
        return replace(
            self,
            subnet=flat.subnet,
            gateway=flat.gateway,
            ip_range=flat.ip_range,
            addresses=flat.addresses,
            last=flat.last,
            ipv6=ipv6,
        )


class Leases(Record):
    """All networks of the home, by name on the host.

    global_id: ten hexadecimal digits that tell this home's IPv6 subnets from those of every other (RFC 4193 section
    3.2.2); '' until a network needs one.
    """

    networks: Mapping[str, NetworkLease] = {}
    global_id: str = ""

    def with_network(self, name: str, lease: NetworkLease) -> Leases:
        return replace(self, networks={**self.networks, name: lease})

    def without_network(self, name: str) -> Leases:
        return replace(self, networks={key: lease for key, lease in self.networks.items() if key != name})

    def without_containers(self, ids: Collection[str]) -> Leases:
        """Free the addresses of these containers."""
        kept = {name: _keep(lease, lease.containers - set(ids)) for name, lease in self.networks.items()}
        return replace(self, networks=kept)

    def of_container(self, container_id: str, addresses: Mapping[str, Collection[str]]) -> Leases:
        """With these addresses for the container, by network, and no others. One that another has it does not get."""
        networks = {}
        for name, lease in self.networks.items():
            found = [pool and _only(pool, container_id, addresses.get(name, ())) for pool in (lease.ipv4, lease.ipv6)]
            networks[name] = lease if found == [lease.ipv4, lease.ipv6] else lease.with_pools(*found)
        return replace(self, networks=networks)

    def of_living(self, ids: Collection[str]) -> Leases:
        """Keep only the addresses of these containers."""
        kept = {name: _keep(lease, lease.containers & set(ids)) for name, lease in self.networks.items()}
        return replace(self, networks=kept)


def choose_subnet(taken: Iterable[Subnet], random: Random, containers: int = 0) -> Subnet:
    """A random IPv4 subnet that overlaps nothing in ``taken`` and has room for so many containers.

    Raises FatalError if none is left.
    """
    prefix = max(min(PREFIX, 32 - (SPARE * containers + 2).bit_length()), POOL.prefixlen)
    return _choose(POOL, prefix, taken, random, "192.168.7.0/24")


def choose_ipv6_subnet(global_id: str, taken: Iterable[Subnet], random: Random) -> Subnet:
    """A random subnet of 64 bits out of the home's own. Raises FatalError if none is left."""
    home = IPv6Network((bytes([IPV6_LOCAL]) + bytes.fromhex(global_id) + bytes(10), IPV6_HOME_PREFIX))
    return _choose(home, IPV6_PREFIX, taken, random, "fd00:0:0:7::/64")


def _choose(pool: Subnet, prefix: int, taken: Iterable[Subnet], random: Random, example: str) -> Subnet:
    same = [net for net in taken if net.version == pool.version]
    occupied = [(int(net.network_address), int(net.broadcast_address)) for net in same]
    size = 1 << (pool.max_prefixlen - prefix)
    start = int(pool.network_address)
    count = pool.num_addresses // size
    first = random.randrange(count)
    for step in range(count):
        low = start + (first + step) % count * size
        high = low + size - 1
        if all(high < other_low or low > other_high for other_low, other_high in occupied):
            return type(pool)((low, prefix))
    hint = f"remove networks, or give the network a subnet: ipam: {{config: [{{subnet: {example}}}]}}"
    raise FatalError(f"no subnet of the size /{prefix} in {pool} is free: the host's routes use them all", hint=hint)


def check_pool(name: str, version: int, pool: Pool, taken: Mapping[Subnet, str]) -> Pool:
    """The pool that the file asks for, normalised; the gateway defaults to the first host.

    version: 4 or 6. taken: networks in use, each with a description of its user. Raises FatalError if one is malformed
    or in use.
    """
    subnet = pool.subnet
    try:
        network = ip_network(subnet)
    except ValueError as error:
        raise FatalError(f"network {name}: subnet {subnet} is not an IPv{version} subnet: {error}") from None
    if network.version != version:
        raise FatalError(f"network {name}: subnet {subnet} is not an IPv{version} subnet")
    if network.num_addresses < ADDRESSES_MIN:
        raise FatalError(f"network {name}: subnet {subnet} is too small for containers")
    for other, use in taken.items():
        if network.overlaps(other):
            hint = "choose another subnet, or remove the network that uses this one"
            raise FatalError(f"network {name}: subnet {subnet} overlaps {other}, {use}", hint=hint)
    address = _host(f"network {name}: gateway", pool.gateway, network) if pool.gateway else network.network_address + 1
    return replace(pool, subnet=str(network), gateway=str(address))


def lease_address(
    name: str,
    lease: NetworkLease,
    container_id: str,
    wanted: tuple[str, str] = ("", ""),
    kept: Collection[str] = (),
) -> NetworkLease:
    """The lease with an address of each family for the container; if it has one already, it keeps that.

    wanted: the ``ipv4_address`` and ``ipv6_address`` in the file; kept: the addresses that it gives to
    other containers. Raises FatalError if an address does not fit or none is free.
    """
    if lease.parent and lease.parent.takes_one and lease.containers - {container_id}:
        hint = "set the mode bridge, or take the other container off the network"
        message = f"network {name}: in the mode {lease.parent.mode} it takes one container, and has one"
        raise FatalError(message, hint=hint)
    pools = (lease.ipv4, lease.ipv6)
    found: list[Pool | None] = []
    for version, pool, address in zip((4, 6), pools, wanted, strict=True):
        if pool is None and address:
            hint = f"give the network IPv{version}: enable_ipv{version}: true"
            raise FatalError(f"network {name}: it has no IPv{version} for ipv{version}_address {address}", hint=hint)
        found.append(pool and _lease_in(f"network {name}", pool, container_id, address, lease.reserved, kept))
    return lease if all(map(operator.is_, pools, found)) else lease.with_pools(*found)


def _lease_in(
    network_name: str, pool: Pool, container_id: str, wanted: str, reserved: Collection[str], kept: Collection[str]
) -> Pool:
    held = pool.addresses.get(container_id)
    network = ip_network(pool.subnet)
    what = f"{network_name}: ipv{network.version}_address"
    address = str(_host(what, wanted, network)) if wanted else held
    if address is not None and address == held:
        return pool
    others = {address: other for other, address in pool.addresses.items() if other != container_id}
    if address is not None:
        if address == pool.gateway:
            raise FatalError(f"{what} {wanted} is the network's gateway")
        if address in reserved:
            raise FatalError(f"{what} {wanted} is one of the network's aux_addresses")
        if address in others:
            hint = "that container was given it before the file set the address: recreate that container"
            raise FatalError(f"{what} {wanted} is leased to another container", hint=hint)
        return replace(pool, addresses={**pool.addresses, container_id: address})
    address = _next_free(network_name, pool, network, {*others, *reserved, *kept})
    return replace(pool, addresses={**pool.addresses, container_id: address}, last=address)


def _only(pool: Pool, container_id: str, addresses: Collection[str]) -> Pool:
    """The pool in which the container has that of these addresses which is of its family, if no other has it."""
    others = {key: value for key, value in pool.addresses.items() if key != container_id}
    version = ip_network(pool.subnet).version
    own = [text for text in addresses if ip_address(text).version == version and text not in others.values()]
    return replace(pool, addresses={**others, **({container_id: own[0]} if own else {})})


def _keep(lease: NetworkLease, ids: Collection[str]) -> NetworkLease:
    if len(ids) == len(lease.containers):
        return lease
    return lease.with_pools(*(pool and _of(pool, ids) for pool in (lease.ipv4, lease.ipv6)))


def _of(pool: Pool, ids: Collection[str]) -> Pool:
    return replace(pool, addresses={key: value for key, value in pool.addresses.items() if key in ids})


def _next_free(network_name: str, pool: Pool, network: Subnet, occupied: Collection[str]) -> str:
    """Round robin: an address is reused only after all others, when no neighbour remembers its last owner."""
    given = ip_network(pool.ip_range) if pool.ip_range else network
    # The first address of an IPv6 subnet is that of any router (RFC 4291 section 2.6.1); it has no broadcast address.
    low = max(int(network.network_address) + 1, int(given.network_address))
    high = min(int(network.broadcast_address) - (network.version == 4), int(given.broadcast_address))
    start = int(ip_address(pool.last)) + 1 if pool.last else low
    for step in range(high - low + 1):
        address = str(network[low + (start - low + step) % (high - low + 1) - int(network.network_address)])
        if address != pool.gateway and address not in occupied:
            return address
    raise _full(
        network_name, given, network, high - low + 1 - (pool.gateway_interface.ip in given), bool(pool.ip_range)
    )


def _full(network_name: str, given: Subnet, network: Subnet, count: int, is_range: bool) -> FatalError:
    message = f"{network_name}: no address of the {count} in {given} is free"
    larger = given.supernet(new_prefix=max(given.prefixlen - LARGER, 0 if not is_range else network.prefixlen))
    if is_range:
        return FatalError(message, hint=f"give the network a larger range, such as ip_range: {larger}")
    return FatalError(message, hint=f"give the network a larger one: ipam: {{config: [{{subnet: {larger}}}]}}")


def _host(what: str, text: str, network: Subnet) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != network.version:
        raise FatalError(f"{what} {text} is not an IPv{network.version} address")
    if not _is_host(address, network):
        raise FatalError(f"{what} {text} is not a host address of {network}")
    return address


def _is_host(address: IPv4Address | IPv6Address, network: Subnet) -> bool:
    ends = {network.network_address, *([network.broadcast_address] if network.version == 4 else [])}
    return address in network and address not in ends
