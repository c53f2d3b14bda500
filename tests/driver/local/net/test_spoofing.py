"""A container that pretends to be another one, or the machine, towards a network of another stack."""

from __future__ import annotations

import socket
import struct
import subprocess

import pytest

from orchestra.driver.local.net import lease_file, link, network
from orchestra.linux.network.namespace import inside

from .conftest import needs_network
from .test_gate import udp
from .test_ipv6_gate import ICMPV6, SOLICITATION, advertisement, icmp, mac, packed, packet, six
from .test_ipv6_gate import udp as udp_by_ipv6

pytestmark = needs_network

IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
REQUEST, REPLY = 1, 2
EVERYBODY = b"\xff" * 6
LAN, LAN_IPV6 = "192.168.77", "2001:db8:7"
PORT = 6000  # of the packets that ``udp`` makes, from port 5000


@pytest.fixture
def net(world):
    """Two containers of one stack that know each other and the gateway, and ``evil`` of another stack."""
    made = {"lan": world.outside("lan", LAN, route_to_host=True, ipv6=LAN_IPV6)}
    world.network(ipv6=True, driver_options={"com.docker.network.bridge.enable_ip_masquerade": "false"})
    world.network("t_default", "t", ipv6=True)
    for name in ("web", "db"):
        made[name] = world.attach(name)
        world.serve(made[name].namespace_path, 80, name.encode(), host="::")
    made["evil"] = world.attach("evil", "t_default", stack="t")
    for stack in ("s", "t"):
        network.apply(world.home, stack)
    assert_all_reach(world, made)
    return made


def four(attachment):
    return attachment.interfaces[0].address


def assert_all_reach(world, net):
    for name, other in (("web", "db"), ("db", "web")):
        for address in (four(net[other]), six(net[other])):
            assert world.ask(net[name].namespace_path, address, 80).startswith(other)
            assert world.ask(None, address, 80).startswith(other)


def lease_of(world, name="s_default"):
    return lease_file.load(world.home).networks[name]


def send(net, protocol, content, target=EVERYBODY):
    """A frame of ``evil``."""
    own = mac(net["evil"].interfaces[0].mac_address)
    with inside(net["evil"].namespace_path, socket.socket, socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("eth0", 0))
        wire.send(target + own + struct.pack("!H", protocol) + content)


def arp(operation, mac_address, sender, target):
    head = struct.pack("!HHBBH", 1, IPV4, 6, 4, operation)
    return head + mac_address + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target)


def bridge_mac(world):
    """Of the machine on evil's network."""
    return mac(link.mac_address(lease_of(world, "t_default").gateway))


def neighbours(namespace):
    """What each neighbour of these networks is known to be at, by interface and address."""

    def look():
        rows = subprocess.run(["ip", "neigh"], capture_output=True, text=True, check=True).stdout.splitlines()
        words = [row.split() for row in rows]
        return {(row[2], row[0]): row[row.index("lladdr") + 1] for row in words if "lladdr" in row}

    return inside(namespace, look) if namespace else look()


def test_claims_by_arp_do_not_leave_the_network(world, net):
    own = mac(net["evil"].interfaces[0].mac_address)
    before = {name: neighbours(net[name].namespace_path) for name in ("web", "db")}
    on_host = neighbours(None)
    for address in (four(net["web"]), four(net["db"]), lease_of(world).gateway):
        for operation in (REQUEST, REPLY):
            for target in (EVERYBODY, bridge_mac(world), mac(net["web"].interfaces[0].mac_address)):
                send(net, ARP, arp(operation, own, address, address), target)
                send(net, ARP, arp(operation, own, address, lease_of(world, "t_default").gateway), target)
    assert_all_reach(world, net)
    bridge = lease_of(world).bridge
    after = neighbours(None)
    assert {key: value for key, value in after.items() if key[0] == bridge} == {
        key: value for key, value in on_host.items() if key[0] == bridge
    }
    for name in ("web", "db"):
        assert neighbours(net[name].namespace_path) == before[name]


def test_claims_by_neighbour_discovery_do_not_leave_the_network(world, net):
    own = mac(net["evil"].interfaces[0].mac_address)
    before = {name: neighbours(net[name].namespace_path) for name in ("web", "db")}
    for about in (six(net["web"]), six(net["db"]), lease_of(world).ipv6.gateway):
        for source in (about, six(net["evil"]), link.link_local_address(net["evil"].interfaces[0].mac_address)):
            for target in (EVERYBODY, bridge_mac(world), mac("33:33:00:00:00:01")):
                claim = advertisement(source, about, own)
                send(net, IPV6, packet(source, "ff02::1", ICMPV6, claim), target)
                question = icmp(SOLICITATION, source, about, bytes(4) + packed(about) + b"\1\1" + own)
                send(net, IPV6, packet(source, about, ICMPV6, question), target)
    assert_all_reach(world, net)
    assert own.hex(":") not in {value for key, value in neighbours(None).items() if key[0] == lease_of(world).bridge}
    for name in ("web", "db"):
        assert neighbours(net[name].namespace_path) == before[name]


@pytest.mark.parametrize("pretends", ["web", "lan"])
def test_a_packet_from_another_network_is_no_part_of_a_connection(world, net, pretends):
    """``db`` has asked, and waits for the answer at its port 6000; ``evil`` guesses what the answer must look like."""
    for family in (socket.AF_INET, socket.AF_INET6):
        is_ipv6 = family == socket.AF_INET6
        own = six(net["db"]) if is_ipv6 else four(net["db"])
        asked = {"web": (four, six)[is_ipv6](net["web"]), "lan": f"{LAN_IPV6}::2" if is_ipv6 else f"{LAN}.2"}[pretends]
        there = net["lan"] if pretends == "lan" else net["web"].namespace_path
        with (
            inside(net["db"].namespace_path, socket.socket, family, socket.SOCK_DGRAM) as db,
            inside(there, socket.socket, family, socket.SOCK_DGRAM) as server,
        ):
            db.bind(("", PORT))
            server.bind(("", 5000))
            server.settimeout(20)
            db.settimeout(20)
            db.sendto(b"question", (asked, 5000))
            _, client = server.recvfrom(100)
            made = udp_by_ipv6(asked, own) if is_ipv6 else udp(asked, own)
            send(net, IPV6 if is_ipv6 else IPV4, made, bridge_mac(world))
            # Sent later, it cannot overtake the other.
            server.sendto(b"answer", client)
            assert db.recv(100) == b"answer"
