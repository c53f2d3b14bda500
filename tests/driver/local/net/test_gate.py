"""Frames that a container with default capabilities (CAP_NET_RAW) can make, and what the host takes of them."""

from __future__ import annotations

import socket
import struct
import subprocess
from pathlib import Path

import pytest

from orchestra.driver.local.net import lease_file, link, network
from orchestra.driver.local.net.gate import has_gate
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.netlink import Netlink

from .conftest import needs_network

pytestmark = needs_network

IPV4, IPV6 = 0x0800, 0x86DD
UDP, ICMP, ICMPV6 = 17, 1, 58
PORT = 6000


@pytest.fixture
def web(world):
    world.network()
    network.apply(world.home, world.stack)
    return world.attach("web")


def bridge(world):
    return lease_file.load(world.home).networks["s_default"]


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source, target, protocol, payload):
    def head(check):
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, check) + addresses

    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    return head(checksum(head(0))) + payload


def udp(source, target, text=b"leaked"):
    return ipv4(source, target, UDP, struct.pack("!HHHH", 5000, PORT, 8 + len(text), 0) + text)


def redirect(source, target, gateway, about):
    quoted = ipv4(target, about, UDP, struct.pack("!HHHH", 5000, PORT, 8, 0))
    body = socket.inet_aton(gateway) + quoted
    return ipv4(source, target, ICMP, struct.pack("!BBH", 5, 1, checksum(struct.pack("!BBH", 5, 1, 0) + body)) + body)


def router_advertisement():
    source, target = socket.inet_pton(socket.AF_INET6, "fe80::1"), socket.inet_pton(socket.AF_INET6, "ff02::1")
    prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400, 86400, 0) + socket.inet_pton(socket.AF_INET6, "fdbb::")
    body = struct.pack("!BBHI", 64, 8, 1800, 0) + bytes(4) + prefix
    pseudo = source + target + struct.pack("!II", 4 + len(body), ICMPV6)
    message = struct.pack("!BBH", 134, 0, checksum(pseudo + struct.pack("!BBH", 134, 0, 0) + body)) + body
    return struct.pack("!IHBB", 0x60000000, len(message), ICMPV6, 255) + source + target + message


def send(world, container, packet, protocol=IPV4, target=None, tags=()):
    """A frame from the container to the host's side, behind these VLAN tags."""
    target = target or bytes.fromhex(link.mac_address(bridge(world).gateway).replace(":", ""))
    source = bytes.fromhex(link.mac_address(container.addresses["s_default"]).replace(":", ""))
    protocols = b"".join(struct.pack("!HH", 0x8100, tag) for tag in tags) + struct.pack("!H", protocol)
    with inside(container.namespace_path, socket.socket, socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("eth0", 0))
        wire.send(target + source + protocols + packet)


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout


def test_ipv6_router_advertisement(world, web):
    send(world, web, router_advertisement(), IPV6, bytes.fromhex("333300000001"))
    assert "default" not in ip("-6", "route")
    assert "fdbb" not in ip("-6", "address")


def test_a_container_takes_no_router_from_its_neighbour(world, web):
    db = world.attach("db")
    send(world, web, router_advertisement(), IPV6, bytes.fromhex("333300000001"))
    assert "default" not in inside(db.namespace_path, ip, "-6", "route")


def test_ipv6_is_off_on_the_hosts_side_of_a_network(world, web):
    def setting(name, key):
        return Path(f"{link.SYSCTL_IPV6}/{name}/{key}").read_text().strip()

    ours = {name for name in world.interfaces() if name.startswith((link.BRIDGE_PREFIX, link.VETH_PREFIX))}
    assert {name: setting(name, "disable_ipv6") for name in ours} == dict.fromkeys(ours, "1")
    name = bridge(world).bridge
    assert [setting(name, key) for key in ("accept_ra", "accept_redirects", "autoconf")] == ["0"] * 3


@pytest.mark.parametrize("rules", ["with the rules", "without the rules"])
@pytest.mark.parametrize("tags", [(), (0,), (0, 0), (7,)], ids=str)
def test_frames_for_the_hosts_loopback_do_not_arrive(world, web, rules, tags):
    if rules == "without the rules":
        subprocess.run(["nft", "flush", "ruleset"], check=True)
    own, gateway = web.addresses["s_default"], bridge(world).gateway
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loopback,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anywhere,
    ):
        loopback.bind(("127.0.0.1", PORT))
        anywhere.bind((gateway, PORT))
        for text, source, target in (
            (b"to", own, "127.0.0.1"),
            (b"far", own, "127.9.9.9"),
            (b"from", "127.0.0.1", gateway),
            (b"both", "127.0.0.1", "127.0.0.1"),
        ):
            send(world, web, udp(source, target, text), tags=tags)
        send(world, web, udp(own, gateway, b"allowed"))
        anywhere.settimeout(5)
        assert anywhere.recv(64) == b"allowed"  # and nothing before it
        loopback.setblocking(False)
        with pytest.raises(BlockingIOError):
            loopback.recv(64)


def test_an_icmp_redirect_changes_no_route_of_the_host(world, web):
    world.outside("wan", "203.0.113", route_to_host=True)
    own, gateway = web.addresses["s_default"], bridge(world).gateway
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as listener:
        listener.settimeout(5)
        send(world, web, redirect(own, gateway, own, "203.0.113.2"))
        send(world, web, ipv4(own, gateway, ICMP, struct.pack("!BBHI", 8, 0, checksum(b"\x08\0\0\0\0\0\0\1"), 1)))
        assert listener.recv(2048)[20] == 8


def test_a_gate_that_is_lost_is_put_back(world, web):
    name = bridge(world).bridge
    with Netlink() as connection:
        number = connection.link(name).number
        assert has_gate(connection, number, name)
        subprocess.run(["tc", "qdisc", "del", "dev", name, "clsact"], check=True)
        assert not has_gate(connection, number, name)
        world.network()
        assert has_gate(connection, number, name)


def test_the_gate_of_a_container_that_runs_is_put_back_with_its_bridges(world, web):
    (port,) = (name for name in world.interfaces() if name.startswith(link.VETH_PREFIX))
    subprocess.run(["tc", "qdisc", "del", "dev", port, "clsact"], check=True)
    Path(f"{link.SYSCTL_IPV6}/{port}/disable_ipv6").write_text("0")
    network.restore(world.home, world.stack)
    assert (
        "bpf"
        in subprocess.run(
            ["tc", "filter", "show", "dev", port, "ingress"], capture_output=True, text=True, check=True
        ).stdout
    )
    assert Path(f"{link.SYSCTL_IPV6}/{port}/disable_ipv6").read_text() == "1\n"
