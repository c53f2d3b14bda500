"""Who reaches what: every source against every target, by TCP, UDP and ICMP, with the rules and after their loss.

The networks have both families of addresses.
"""

from __future__ import annotations

import select
import socket
import struct
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from orchestra.driver.local.net import lease_file, link, network
from orchestra.linux.network import netlink
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.netlink import Netlink
from orchestra.model.container import Port

from .conftest import needs_network
from .reachability import INTERNAL, TABLE, TRANSPORTS, Place

pytestmark = needs_network

SERVICE, PUBLISHED, PUBLISHED_LOCALLY, LOOPBACK_ONLY = 7000, 8080, 9090, 6000
LAN, LAN_IPV6 = "192.168.77", "2001:db8:77"
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
ANYWHERE = {4: "0.0.0.0", 6: "::"}
MULTICAST = {4: "224.0.0.251", 6: "ff05::fb"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
ICMP = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
ECHO_REQUEST = {4: 8, 6: 128}
ICMP_BEGINS = {4: 20, 6: 0}
"""Where the message begins in what a raw socket receives."""
PATIENCE = 250  # milliseconds for what is expected not to arrive; what does arrive takes less than one


def raw(namespace, *arguments):
    return socket.socket(*arguments) if namespace is None else inside(namespace, socket.socket, *arguments)


@dataclass
class Site:
    """A place that sends and receives. namespace None: the host."""

    name: str
    namespace: str | None
    version: int
    listeners: list[socket.socket] = field(default_factory=list)
    udp: list[socket.socket] = field(default_factory=list)
    icmp: socket.socket | None = None

    def listen(self, port, host):
        for kind, where in ((socket.SOCK_STREAM, self.listeners), (socket.SOCK_DGRAM, self.udp)):
            each = raw(self.namespace, FAMILY[self.version], kind)
            where.append(each)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.version == 6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            each.bind((host, port))
            each.setblocking(False)
        self.listeners[-1].listen(64)

    def hear_echoes(self):
        self.icmp = raw(self.namespace, FAMILY[self.version], socket.SOCK_RAW, ICMP[self.version])
        self.icmp.setblocking(False)

    def close(self):
        for each in (*self.listeners, *self.udp, self.icmp):
            each.close()


class Matrix:
    """Two ordinary networks, one of another stack, two internal ones on either side of them by name, and a LAN.

    version: of the Internet Protocol, by which everything is asked.
    """

    def __init__(self, world, version) -> None:
        self.world, self.version = world, version
        for name, more in (
            ("s_a", {"internal": True}),
            ("s_back", {}),
            ("s_front", {}),
            ("s_z", {"internal": True}),
        ):
            world.network(name, ipv6=True, **more)
        world.network("t_default", stack="t", ipv6=True)
        published = [(PUBLISHED, "0.0.0.0"), (PUBLISHED, "::"), (PUBLISHED_LOCALLY, "127.0.0.1")]
        ports = [(Port(SERVICE, port, host, protocol), None) for port, host in published for protocol in ("tcp", "udp")]
        lan = world.outside("lan", LAN, route_to_host=True, ipv6=LAN_IPV6)
        made = {
            "web": world.attach("web", "s_front", ports=ports),
            "near": world.attach("near", "s_front"),
            "back": world.attach("back", "s_back"),
            "inner": world.attach("inner", "s_a"),
            "inner2": world.attach("inner2", "s_a"),
            "last": world.attach("last", "s_z"),
            "other": world.attach("other", "t_default", stack="t"),
        }
        interfaces = {name: attachment.interfaces[0] for name, attachment in made.items()}
        self.networks = {name: interface.network for name, interface in interfaces.items()}
        self.addresses = {
            name: interface.address if version == 4 else interface.ipv6_address
            for name, interface in interfaces.items()
        }
        self.sites = {name: Site(name, attachment.namespace_path, version) for name, attachment in made.items()}
        self.sites |= {"lan": Site("lan", lan, version), "host": Site("host", None, version)}
        for name in ("inner", "inner2", "last"):  # what a container with CAP_NET_ADMIN does about a missing route
            with inside(made[name].namespace_path, Netlink) as own:
                own.send(netlink.set_default_route(self.gateway(name), own.link("eth0").number))
        network.apply(world.home, "s")
        network.apply(world.home, "t")
        for site in self.sites.values():
            world.resources.callback(site.close)
            site.hear_echoes()
            site.listen(SERVICE, ANYWHERE[version])
        self.sites["host"].listen(LOOPBACK_ONLY, LOOPBACK[version])

    def gateway(self, name):
        lease = lease_file.load(self.world.home).networks[self.networks[name]]
        return lease.gateway if self.version == 4 else lease.ipv6.gateway

    def in_lan(self, number):
        return f"{LAN}.{number}" if self.version == 4 else f"{LAN_IPV6}::{number}"

    def subnet_broadcast(self, name):
        return self.addresses[name].rpartition(".")[0] + ".255"

    def arrivals(self, probes):
        """For each (source, protocol, address, port): the names of the sites where it arrived."""
        found = {probe: set() for probe in probes}
        numbered = dict(enumerate(probes, 1))
        connecting = {}
        for number, (source, protocol, address, port) in numbered.items():
            sender = getattr(self, f"send_{protocol}")
            with suppress(OSError):  # what cannot even be sent does not arrive
                connection = sender(self.sites[source], number, address, port)
                if connection is not None:
                    connecting[connection] = (source, protocol, address, port)
        self.wait()
        for name, site in self.sites.items():
            for number in self.received(site):
                if number in numbered:
                    found[numbered[number]].add(name)
        for connection, probe in connecting.items():
            with connection, suppress(OSError):
                found[probe].add(connection.recv(64).decode())
        return {probe: sorted(names) for probe, names in found.items()}

    def send_tcp(self, site, number, address, port):
        client = raw(site.namespace, FAMILY[self.version], socket.SOCK_STREAM)
        client.setblocking(False)
        client.connect_ex((address, port))
        return client

    def send_udp(self, site, number, address, port):
        with raw(site.namespace, FAMILY[self.version], socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            client.sendto(struct.pack("!I", number), (address, port))

    def send_icmp(self, site, number, address, port):
        with raw(site.namespace, FAMILY[self.version], socket.SOCK_RAW, ICMP[self.version]) as client:
            kind = ECHO_REQUEST[self.version]
            total = sum(struct.unpack("!4H", struct.pack("!BBHI", kind, 0, 0, number)))
            checksum = ~(total + (total >> 16)) & 0xFFFF  # with IPv6, the kernel puts its own in this place
            client.sendto(struct.pack("!BBHI", kind, 0, checksum, number), (address, 0))

    def wait(self):
        """Serve TCP until nothing comes any more."""
        owners = {listener.fileno(): (listener, site) for site in self.sites.values() for listener in site.listeners}
        poll = select.poll()
        for number in owners:
            poll.register(number, select.POLLIN)
        while events := poll.poll(PATIENCE):
            for number, _ in events:
                listener, site = owners[number]
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(site.name.encode())

    def received(self, site):
        for udp in site.udp:
            with suppress(BlockingIOError):
                while True:
                    yield struct.unpack("!I", udp.recv(64)[:4])[0]
        with suppress(BlockingIOError):
            while True:
                message = site.icmp.recv(2048)[ICMP_BEGINS[self.version] :]
                if message[0] == ECHO_REQUEST[self.version]:
                    yield struct.unpack("!H", message[6:8])[0]  # the other half, the identifier, is translated


@pytest.fixture(params=(4, 6))
def matrix(world, request):
    return Matrix(world, request.param)


def destination(matrix, place, name):
    """The address and port that a row of the table means."""
    match place:
        case Place.CONTAINER:
            return matrix.addresses[name], SERVICE
        case Place.LAN:
            return matrix.in_lan(2), SERVICE
        case Place.BROADCAST:
            return matrix.subnet_broadcast(name), SERVICE
        case Place.MULTICAST:
            return MULTICAST[matrix.version], SERVICE
    kind = place.name.partition("_AT_")[0]
    port = {"PUBLISHED": PUBLISHED, "LOCAL": PUBLISHED_LOCALLY, "KEPT": LOOPBACK_ONLY}.get(kind, SERVICE)
    if name:
        return matrix.gateway(name), port
    return LOOPBACK[matrix.version] if place.name.endswith("_AT_LOOPBACK") else matrix.in_lan(1), port


def probes_of(matrix, *, flushed):
    expected = {}
    for row in TABLE:
        if matrix.version not in row.versions:
            continue
        for source in row.sources:
            for protocol in row.protocols:
                wanted = sorted(row.bare if flushed else row.arrives)
                target = f"{row.place.name} {row.name}"
                expected[source, protocol, *destination(matrix, row.place, row.name)] = (target, wanted)
    return expected


def differences(matrix, *, flushed=False):
    expected = probes_of(matrix, flushed=flushed)
    arrived = matrix.arrivals(list(expected))
    return [
        f"{source} {protocol} {target}: arrives at {arrived[source, protocol, address, port]}, not {wanted}"
        for (source, protocol, address, port), (target, wanted) in expected.items()
        if arrived[source, protocol, address, port] != wanted
    ]


def test_each_source_reaches_what_it_should_and_nothing_else(matrix):
    assert differences(matrix) == []


def test_internal_network_leak(matrix):
    """Datagrams and connections to a port that another network publishes, at the gateway of each and at the host."""
    gateways = [matrix.gateway(name) for name in ("web", "back", "inner", "last")]
    targets = [(protocol, address, PUBLISHED) for protocol in TRANSPORTS for address in (*gateways, matrix.in_lan(1))]
    expected = {
        (source, *target): arrives
        for sources, arrives in ((INTERNAL, []), (("near",), ["web"]))
        for source in sources
        for target in targets
    }
    assert matrix.arrivals(list(expected)) == expected


@pytest.mark.parametrize("router", [False, True])
def test_firewall_flush_fails_open(matrix, router):
    """What is lost with the rules is lost to the networks: none opens to another, to the LAN or to the loopback.

    Nor on a machine that was made a router meanwhile, which turns forwarding on for every interface.
    """
    if router:
        for directory in (link.SYSCTL, link.SYSCTL_IPV6):
            link.write_setting(f"{directory}/all/forwarding", 1)
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    assert differences(matrix, flushed=True) == []


@pytest.mark.parametrize("chain", ["forward", "admit", "postrouting", "hairpin"])
def test_a_chain_that_is_lost_opens_nothing(matrix, chain):
    (table,) = {
        word for word in matrix.world.ruleset().split() if word.startswith("orchestra_") and word.endswith("_s")
    }
    family = {4: "ip", 6: "ip6"}[matrix.version]
    subprocess.run(["nft", "flush", "chain", family, table, chain], check=True)
    leaks = [line for line in differences(matrix) if not line.split("arrives at ")[1].startswith("[]")]
    assert leaks == []
