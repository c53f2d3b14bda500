"""Bridges, veth pairs and the inside of a container's network namespace."""

from __future__ import annotations

import hashlib
import os
import threading
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from orchestra.driver.local.net.failure import InterfaceGone
from orchestra.driver.local.net.gate import gate_of_bridge, gate_of_port
from orchestra.driver.local.net.mark import mark_of, parse_mark
from orchestra.driver.local.net.parent_link import ensure_interface
from orchestra.linux import whole_files
from orchestra.linux.network import netlink
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.netlink import Netlink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.driver.local.net.attachment import Interface
    from orchestra.driver.local.net.ipam import NetworkLease, Subnet
    from orchestra.driver.local.net.mark import Mark
    from orchestra.home import Home
    from orchestra.linux.network.netlink import Link
    from orchestra.linux.network.netlink_message import Request

BRIDGE_PREFIX = "orc-"
VETH_PREFIX = "orcv"
SYSCTL = "/proc/sys/net/ipv4/conf"
SYSCTL_IPV6 = "/proc/sys/net/ipv6/conf"
QUIET = {"accept_ra": 0, "accept_redirects": 0, "autoconf": 0}
"""IPv6 settings of every interface of a network: what a neighbour sends makes no address or route there."""
FORCE_FORWARDING = "force_forwarding"
"""An IPv6 setting of an interface since Linux 6.17: forward what comes in by it. Before, only all interfaces can."""

turn = threading.Lock()
"""For a thread that makes interfaces. The kernel has one lock for the interfaces of all namespaces. A thread that sets
``disable_ipv6`` while another one holds that lock does not sleep: the call restarts until the lock is free.
"""


def bridge_name(home: Home, network: str) -> str:
    return BRIDGE_PREFIX + hashlib.sha256(f"{home.run}\0{network}".encode()).hexdigest()[:10]


def mac_address(address: str) -> str:
    """A locally administered hardware address from an IP address: neighbours of a reused address stay correct."""
    packed = ip_address(address).packed
    short = b"\x02\x6f" + packed if len(packed) == 4 else b"\x02\x6e" + hashlib.sha256(packed).digest()[:4]
    return ":".join(f"{byte:02x}" for byte in short)


def link_local_address(mac: str) -> str:
    """The IPv6 address that the kernel gives an interface with this hardware address (RFC 4291 appendix A)."""
    packed = bytearray.fromhex(mac.replace(":", ""))
    packed[0] ^= 2
    return str(ip_address(b"\xfe\x80" + bytes(6) + packed[:3] + b"\xff\xfe" + packed[3:]))


class Ipv6Settings:
    """The IPv6 settings of the interfaces in the opening thread's network namespace, whichever thread sets them later.

    procfs chooses the namespace when the directory is looked up, not below it.
    """

    def __init__(self) -> None:
        try:
            self._directory = os.open(SYSCTL_IPV6, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._directory = -1  # a kernel without IPv6

    def __enter__(self) -> Ipv6Settings:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._directory >= 0:
            os.close(self._directory)

    def set(self, device: str, key: str, value: int) -> None:
        if self._directory < 0:
            return
        try:
            file = os.open(f"{device}/{key}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._directory)
            try:
                os.write(file, str(value).encode())
            finally:
                os.close(file)
        except FileNotFoundError as error:
            raise InterfaceGone(device) from error


def _open_inside() -> tuple[Netlink, Ipv6Settings]:
    return Netlink(), Ipv6Settings()


def has_ipv6() -> bool:
    """Whether the kernel has IPv6 at all."""
    return os.path.isdir(SYSCTL_IPV6)


def bridges(connection: Netlink) -> list[tuple[Link, Mark]]:
    """Every bridge of any home in this network namespace."""
    marked = ((link, parse_mark(link.alias)) for link in connection.links("bridge"))
    return [(link, mark) for link, mark in marked if mark is not None]


def host_networks(connection: Netlink, *, without: str = "") -> dict[Subnet, str]:
    """The networks of the host's addresses and routes, described; except those of the interface ``without``."""
    own = connection.link(without) if without else None
    occupied: dict[Subnet, str] = {}
    # Addresses last: one that was given meanwhile came before its route.
    for route in connection.routes():
        if route.prefix and (own is None or route.link != own.number):
            network = ip_network(f"{route.destination}/{route.prefix}", strict=False)
            occupied[network] = "which the host has a route to"
    for address in connection.addresses():
        if own is None or address.link != own.number:
            network = ip_network(f"{address.address}/{address.prefix}", strict=False)
            occupied[network] = f"the network of the host's address {address.address}"
    return occupied


def ensure_bridge(connection: Netlink, home: Home, network: str, lease: NetworkLease) -> None:
    """Make the network's bridge according to its lease, or complete an existing one."""
    name = lease.bridge
    link = connection.link(name)
    if link is None:
        address = bytes.fromhex(mac_address(lease.pools[0].gateway).replace(":", ""))
        connection.send(netlink.new_bridge(name, address=address, mtu=lease.mtu))
        link = connection.link(name)
    if link is None:
        raise InterfaceGone(name)
    # All of this while a new bridge is still down, so that it never accepts a packet that it should not.
    gate = gate_of_bridge(link.number, name, lease.host_addresses, internal=lease.internal)
    connection.send(netlink.set_no_link_local(name), *gate)
    for path, wanted in bridge_settings(lease):
        write_setting(path, wanted)
    requests = [] if parse_mark(link.alias) else [netlink.set_alias(name, mark_of(home, network).render())]
    requests += [
        netlink.add_address(link.number, str(each.ip), each.network.prefixlen) for each in lease.host_addresses
    ]
    connection.send(*requests, netlink.set_up(name))


def bridge_settings(lease: NetworkLease) -> tuple[tuple[str, int], ...]:
    """Files below /proc/sys and what they must hold for the network; of IPv6, those that the kernel has.

    Packets from containers are forwarded. Answers to connections that the host opened to 127.0.0.1 come back to it
    through the bridge, and the kernel would take them for martians; the gate drops all other such packets. Nothing is
    forwarded out of an internal network, whatever the rules say.
    """
    ipv4, ipv6 = f"{SYSCTL}/{lease.bridge}", f"{SYSCTL_IPV6}/{lease.bridge}"
    found: list[tuple[str, int]] = []
    if lease.ipv4:
        found += [(f"{ipv4}/forwarding", int(not lease.internal)), (f"{ipv4}/route_localnet", 1)]
    quiet = {"disable_ipv6": int(lease.ipv6 is None), **QUIET}
    if lease.ipv6:
        quiet[FORCE_FORWARDING] = int(not lease.internal)
    found += [(f"{ipv6}/{key}", value) for key, value in quiet.items() if os.path.exists(f"{ipv6}/{key}")]
    return tuple(found)


def connect(
    connection: Netlink,
    home: Home,
    namespace_path: str,
    interfaces: Sequence[Interface],
    leases: Mapping[str, NetworkLease],
    ports: Mapping[int, Link] | None = None,
) -> None:
    """Give a container's namespace these interfaces, or complete them.

    leases: by network; an interface of a network without one is left alone. ports: the host's ends of all interfaces by
    number, if the caller knows them.
    """
    own, settings = inside(namespace_path, _open_inside)
    with own, settings:
        requests: list[Request] = [netlink.set_up("lo")]
        for interface in interfaces:
            if interface.network not in leases:
                continue
            lease = leases[interface.network]
            if lease.parent is not None:
                link = ensure_interface(connection, own, namespace_path, interface, lease.parent)
            else:
                link = _ensure_port(connection, own, home, namespace_path, interface, lease, ports)
            # Without this, any neighbour could pose as a router to the container.
            settings.set(interface.device, "disable_ipv6", int(not interface.ipv6_address))
            if interface.ipv6_address:
                for key, value in {**QUIET, "accept_dad": 0}.items():
                    settings.set(interface.device, key, value)
            requests += [netlink.add_address(link.number, *each) for each in interface.all_addresses]
            requests.append(netlink.set_up(interface.device))
            requests += [netlink.set_default_route(gateway, link.number) for gateway in interface.default_gateways]
        own.send(*requests)
    if settings_of := [pair for interface in interfaces for pair in interface.settings if interface.network in leases]:
        inside(namespace_path, _write_settings, settings_of)


def _write_settings(settings: Sequence[tuple[str, str]]) -> None:
    for path, value in settings:
        whole_files.set(f"/proc/sys/{path}", value)


def _ensure_port(
    connection: Netlink,
    own: Netlink,
    home: Home,
    namespace_path: str,
    interface: Interface,
    lease: NetworkLease,
    ports: Mapping[int, Link] | None,
) -> Link:
    """The container's end of a veth pair whose other end is a port of the bridge. own: in the namespace."""
    bridge = connection.link(lease.bridge)
    if bridge is None:
        raise InterfaceGone(lease.bridge)
    link, name = own.link(interface.device), ""
    if link is None:
        name = _new_pair(connection, mark_of(home, interface.network), namespace_path, interface, lease)
        link = own.link(interface.device)
    elif ports is None:
        ports = {found.number: found for found in connection.links("veth")}
    if link is not None and ports is not None and link.peer in ports:
        name = ports[link.peer].name
    if link is None or not name:
        raise InterfaceGone(interface.device)
    connection.send(
        *_close_port(link.peer, name, lease, interface),
        netlink.set_no_link_local(name),
        netlink.set_up(name, master=bridge.number),
        # For a container that asks for its own published port: with the module br_netfilter, the kernel redirects the
        # packet inside the bridge, and it leaves by the port it came in by.
        netlink.set_hairpin(name),
    )
    return link


def _new_pair(connection: Netlink, mark: Mark, namespace_path: str, interface: Interface, lease: NetworkLease) -> str:
    """Returns the name of the host's end."""
    # A name never used before: an earlier end may live on for a moment with its dying namespace.
    name = VETH_PREFIX + os.urandom(5).hex()
    address = bytes.fromhex(interface.mac_address.replace(":", ""))
    descriptor = os.open(namespace_path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        connection.send(
            netlink.new_veth(name, peer=interface.device, namespace=descriptor, address=address, mtu=lease.mtu),
            netlink.set_alias(name, mark.render()),
        )
    finally:
        os.close(descriptor)
    return name


def _close_port(number: int, name: str, lease: NetworkLease, interface: Interface) -> tuple[Request, ...]:
    """Turn IPv6 off on the host's end of a container's interface, which has no addresses.

    Returns requests that give it its gate, or restore it.
    """
    with Ipv6Settings() as settings:
        settings.set(name, "disable_ipv6", 1)
    sources = [address for address, _ in interface.all_addresses if ":" in address] if lease.ipv6 else []
    if sources:
        sources.append(link_local_address(interface.mac_address))
    return gate_of_port(number, name, sources, takes_all=lease.between)


def set_sysctl(device: str, key: str, value: int) -> None:
    write_setting(f"{SYSCTL}/{device}/{key}", value)


def get_sysctl(device: str, key: str) -> int:
    return int(whole_files.read(f"{SYSCTL}/{device}/{key}"))


def write_setting(path: str, value: int) -> None:
    """Set what a file below SYSCTL or SYSCTL_IPV6 holds for an interface. Raises OSError."""
    try:
        whole_files.set(path, str(value))
    except FileNotFoundError as error:
        raise InterfaceGone(os.path.basename(os.path.dirname(path))) from error


def read_setting(path: str) -> int | None:
    """None if there is no such file: the interface has gone, or the kernel has no such setting."""
    try:
        return int(whole_files.read(path))
    except FileNotFoundError:
        return None
