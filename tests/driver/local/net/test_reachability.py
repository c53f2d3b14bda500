"""Who reaches what: every source against every target, by TCP, UDP and ICMP, with the rules and after their loss."""

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
from orchestra.model.desired import Port

from .conftest import needs_network

pytestmark = needs_network

SERVICE, PUBLISHED, PUBLISHED_LOCALLY, LOOPBACK_ONLY = 7000, 8080, 9090, 6000
LAN = "192.168.77"
PATIENCE = 250  # milliseconds for what is expected not to arrive; what does arrive takes less than one


def raw(namespace, *arguments):
    return socket.socket(*arguments) if namespace is None else inside(namespace, socket.socket, *arguments)


@dataclass
class Site:
    """A place that sends and receives. namespace None: the host."""

    name: str
    namespace: str | None
    listeners: list[socket.socket] = field(default_factory=list)
    udp: list[socket.socket] = field(default_factory=list)
    icmp: socket.socket | None = None

    def listen(self, port, host="0.0.0.0"):
        tcp, udp = (raw(self.namespace, socket.AF_INET, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for each in (tcp, udp):
            each.bind((host, port))
            each.setblocking(False)
        tcp.listen(64)
        self.listeners.append(tcp)
        self.udp.append(udp)

    def close(self):
        for each in (*self.listeners, *self.udp, self.icmp):
            each.close()


class Matrix:
    """Two ordinary networks, one of another stack, two internal ones on either side of them by name, and a LAN."""

    def __init__(self, world) -> None:
        self.world = world
        for name, more in (
            ("s_a", {"internal": True}),
            ("s_back", {}),
            ("s_front", {}),
            ("s_z", {"internal": True}),
        ):
            world.network(name, **more)
        world.network("t_default", stack="t")
        ports = [(Port(SERVICE, PUBLISHED, protocol=protocol), None) for protocol in ("tcp", "udp")] + [
            (Port(SERVICE, PUBLISHED_LOCALLY, "127.0.0.1", protocol), None) for protocol in ("tcp", "udp")
        ]
        lan = world.outside("lan", LAN, route_to_host=True)
        made = {
            "web": world.attach("web", "s_front", ports=ports),
            "near": world.attach("near", "s_front"),
            "back": world.attach("back", "s_back"),
            "inner": world.attach("inner", "s_a"),
            "inner2": world.attach("inner2", "s_a"),
            "last": world.attach("last", "s_z"),
            "other": world.attach("other", "t_default", stack="t"),
        }
        self.networks = {name: next(iter(attachment.addresses)) for name, attachment in made.items()}
        self.addresses = {name: next(iter(attachment.addresses.values())) for name, attachment in made.items()}
        self.addresses["lan"] = f"{LAN}.2"
        self.sites = {name: Site(name, attachment.namespace_path) for name, attachment in made.items()}
        self.sites |= {"lan": Site("lan", lan), "host": Site("host", None)}
        for name in ("inner", "inner2", "last"):  # what a container with CAP_NET_ADMIN does about a missing route
            with inside(made[name].namespace_path, Netlink) as own:
                own.send(netlink.set_default_route(self.gateway(name), own.link("eth0").number))
        network.apply(world.home, "s")
        network.apply(world.home, "t")
        for site in self.sites.values():
            world.resources.callback(site.close)
            site.listen(SERVICE)
            site.icmp = raw(site.namespace, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            site.icmp.setblocking(False)
        self.sites["host"].listen(LOOPBACK_ONLY, "127.0.0.1")

    def gateway(self, name):
        return lease_file.load(self.world.home).networks[self.networks[name]].gateway

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
        client = raw(site.namespace, socket.AF_INET, socket.SOCK_STREAM)
        client.setblocking(False)
        client.connect_ex((address, port))
        return client

    def send_udp(self, site, number, address, port):
        with raw(site.namespace, socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            client.sendto(struct.pack("!I", number), (address, port))

    def send_icmp(self, site, number, address, port):
        with raw(site.namespace, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as client:
            head = struct.pack("!BBHI", 8, 0, 0, number)
            total = sum(struct.unpack("!4H", head))
            checksum = ~(total + (total >> 16)) & 0xFFFF
            client.sendto(struct.pack("!BBHI", 8, 0, checksum, number), (address, 0))

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
                packet = site.icmp.recv(2048)
                if packet[20] == 8:
                    yield struct.unpack("!H", packet[26:28])[0]  # the other half, the identifier, is translated


@pytest.fixture
def matrix(world):
    return Matrix(world)


def place(matrix, source, words):
    """The address and port that the table's words mean, as seen from ``source``."""
    kind, _, name = words.partition(" ")
    match kind:
        case "direct":
            return matrix.addresses[name], SERVICE
        case "gateway":
            return matrix.gateway(name), SERVICE
        case "host":
            return f"{LAN}.1", SERVICE
        case "published":
            return (matrix.gateway(name) if name in matrix.networks else name), PUBLISHED
        case "locally-published":
            return (matrix.gateway(name) if name in matrix.networks else name), PUBLISHED_LOCALLY
        case "loopback":
            return (matrix.gateway(name) if name in matrix.networks else name), LOOPBACK_ONLY
        case "broadcast":
            return matrix.subnet_broadcast(name), SERVICE
        case "multicast":
            return "224.0.0.251", SERVICE


NOBODY, WEB, HOST = [], ["web"], ["host"]
CONTAINERS = ("near", "back", "inner", "last", "other")
ALL = ("tcp", "udp", "icmp")
ORDINARY, INTERNAL = ("near", "back", "other"), ("inner", "last")

# (sources, protocols, target): where it arrives with the rules; where after `nft flush ruleset`, None for the same.
# Without the rules what the host answers does not enter a network either, so that no connection is made there.
TABLE = [
    # a container by its own address: from its network and from the host only
    (("near",), ALL, "direct web", WEB, None),
    (("back", "inner", "last", "other", "lan"), ALL, "direct web", NOBODY, None),
    (("near", "back", "last", "other", "lan"), ALL, "direct inner", NOBODY, None),
    (("inner",), ALL, "direct inner2", ["inner2"], None),
    (("near", "inner", "last", "other", "lan"), ALL, "direct back", NOBODY, None),
    (("near", "back", "inner", "last", "lan"), ALL, "direct other", NOBODY, None),
    (("near", "back", "inner", "other", "lan"), ALL, "direct last", NOBODY, None),
    (("host",), ALL, "direct web", WEB, NOBODY),
    (("host",), ALL, "direct inner", ["inner"], NOBODY),
    (("host",), ALL, "direct other", ["other"], NOBODY),
    # the host, by the gateway of the sender's network, by another network's and by its own address
    *[((name,), ("udp", "icmp"), f"gateway {name}", HOST, None) for name in CONTAINERS],
    *[((name,), ("tcp",), f"gateway {name}", HOST, NOBODY) for name in CONTAINERS],
    (ORDINARY, ("udp", "icmp"), "host", HOST, None),
    (INTERNAL, ALL, "host", NOBODY, None),
    (INTERNAL, ALL, "gateway web", NOBODY, None),
    (("lan",), ALL, "gateway web", HOST, None),
    (("lan",), ALL, "host", HOST, None),
    # what the host keeps to its loopback
    *[((name,), ("tcp", "udp"), f"loopback {name}", NOBODY, None) for name in CONTAINERS],
    ((*CONTAINERS, "lan"), ("tcp", "udp"), f"loopback {LAN}.1", NOBODY, None),
    (("host",), ("tcp", "udp"), "loopback 127.0.0.1", HOST, None),
    # a published port: from everywhere but internal networks
    *[(ORDINARY, ("tcp", "udp"), f"published {name}", WEB, NOBODY) for name in ("web", "back", "other", "inner")],
    *[(INTERNAL, ("tcp", "udp"), f"published {name}", NOBODY, None) for name in ("web", "back", "inner", "last")],
    (ORDINARY, ("tcp", "udp"), f"published {LAN}.1", WEB, NOBODY),
    (INTERNAL, ("tcp", "udp"), f"published {LAN}.1", NOBODY, None),
    (("lan", "host"), ("tcp", "udp"), f"published {LAN}.1", WEB, NOBODY),
    (("lan", "host"), ("tcp", "udp"), "published web", WEB, NOBODY),
    (("host",), ("tcp", "udp"), "published 127.0.0.1", WEB, NOBODY),
    # a port published on 127.0.0.1: from the host only
    (("host",), ("tcp", "udp"), "locally-published 127.0.0.1", WEB, NOBODY),
    ((*CONTAINERS, "lan"), ("tcp", "udp"), f"locally-published {LAN}.1", NOBODY, None),
    (CONTAINERS, ("tcp", "udp"), "locally-published web", NOBODY, None),
    (("lan",), ("tcp", "udp"), "locally-published web", NOBODY, None),
    # out of the host
    (ORDINARY, ("udp", "icmp"), "direct lan", ["lan"], None),
    (ORDINARY, ("tcp",), "direct lan", ["lan"], NOBODY),
    (INTERNAL, ALL, "direct lan", NOBODY, None),
    # to everybody on a network, from there and from elsewhere: never across
    (("near",), ("udp",), "broadcast web", ["host", "near", "web"], None),
    (("back", "other", "lan"), ("udp",), "broadcast web", HOST, None),
    (("inner",), ("udp",), "broadcast web", NOBODY, None),
    (("inner",), ("udp",), "broadcast inner", ["host", "inner", "inner2"], None),
    (("near", "inner", "other", "lan"), ("udp",), "multicast", NOBODY, None),
]


def probes_of(matrix, *, flushed):
    expected = {}
    for sources, protocols, target, whole, bare in TABLE:
        for source in sources:
            for protocol in protocols:
                wanted = bare if flushed and bare is not None else whole
                expected[(source, protocol, *place(matrix, source, target))] = (target, wanted)
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


@pytest.mark.parametrize("router", [False, True])
def test_firewall_flush_fails_open(matrix, router):
    """What is lost with the rules is lost to the networks: none opens to another, to the LAN or to the loopback.

    Nor on a machine that was made a router meanwhile, which turns forwarding on for every interface.
    """
    if router:
        link.set_sysctl("all", "forwarding", 1)
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    assert differences(matrix, flushed=True) == []


@pytest.mark.parametrize("chain", ["forward", "admit", "postrouting", "hairpin"])
def test_a_chain_that_is_lost_opens_nothing(matrix, chain):
    (table,) = [
        word for word in matrix.world.ruleset().split() if word.startswith("orchestra_") and word.endswith("_s")
    ]
    subprocess.run(["nft", "flush", "chain", "ip", table, chain], check=True)
    leaks = [line for line in differences(matrix) if not line.split("arrives at ")[1].startswith("[]")]
    assert leaks == []
