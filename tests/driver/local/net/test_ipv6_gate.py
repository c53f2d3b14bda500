"""IPv6 frames that a container with default capabilities (CAP_NET_RAW) can make, and what others take of them."""

from __future__ import annotations

import socket
import struct
import subprocess
from pathlib import Path

import pytest

from orchestra.driver.local.net import lease_file, link, network
from orchestra.driver.local.net.gate import from_container
from orchestra.linux.network.namespace import inside
from orchestra.model.container import Port

from .conftest import needs_network
from .test_gate import checksum, router_advertisement

pytestmark = needs_network

IPV6, UDP, ICMPV6, OPTIONS, FRAGMENT, ROUTING, DESTINATION = 0x86DD, 17, 58, 0, 44, 43, 60
SOLICITATION, ADVERTISEMENT, REDIRECT, REPORT = 135, 136, 137, 143
PORT = 6000
ALL_NODES = "ff02::1"


def packed(address):
    return socket.inet_pton(socket.AF_INET6, address)


def packet(source, target, protocol, payload, hops=255):
    return struct.pack("!IHBB", 0x60000000, len(payload), protocol, hops) + packed(source) + packed(target) + payload


def with_checksum(source, target, protocol, message, at):
    pseudo = packed(source) + packed(target) + struct.pack("!II", len(message), protocol)
    total = checksum(pseudo + message + bytes(len(message) % 2))
    return message[:at] + struct.pack("!H", total) + message[at + 2 :]


def udp(source, target, text=b"leaked"):
    message = struct.pack("!HHHH", 5000, PORT, 8 + len(text), 0) + text
    return packet(source, target, UDP, with_checksum(source, target, UDP, message, 6))


def icmp(kind, source, target, body):
    return with_checksum(source, target, ICMPV6, struct.pack("!BBH", kind, 0, 0) + body, 2)


def advertisement(source, about, mac, target=ALL_NODES):
    """That ``about`` is at the hardware address, overriding what was known (RFC 4861 section 4.4)."""
    return icmp(ADVERTISEMENT, source, target, b"\x20\0\0\0" + packed(about) + b"\2\1" + mac)


def behind(header, message, kind):
    """``message`` behind an extension header without content."""
    content = bytes([ICMPV6, 0]) + (b"\1\4\0\0\0\0" if kind != FRAGMENT else bytes(6))
    return packet(*header, kind, content + message)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


@pytest.fixture
def net(world):
    world.outside("lan", "192.168.77", ipv6="2001:db8:7")
    world.network(ipv6=True)
    made = {name: world.attach(name) for name in ("web", "db", "evil")}
    network.apply(world.home, world.stack)
    for name in ("web", "db"):
        world.serve(made[name].namespace_path, 80, host="::", text=name.encode())
    return made


def six(attachment):
    return attachment.interfaces[0].ipv6_address


def send(attachment, frame, target="33:33:00:00:00:01", tags=()):
    protocols = b"".join(struct.pack("!HH", 0x8100, tag) for tag in tags) + struct.pack("!H", IPV6)
    with inside(attachment.namespace_path, socket.socket, socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("eth0", 0))
        wire.send(mac(target) + mac(attachment.interfaces[0].mac_address) + protocols + frame)


def neighbours():
    return subprocess.run(["ip", "-6", "neigh"], capture_output=True, text=True, check=True).stdout


def known(net, name, about):
    """The hardware address that the container ``name`` has for an address."""
    lines = inside(net[name].namespace_path, neighbours).splitlines()
    return next((line.split("lladdr ")[1].split()[0] for line in lines if line.startswith(f"{about} ")), "")


@pytest.mark.parametrize("disguise", ["", "tags", OPTIONS, FRAGMENT, DESTINATION], ids=str)
def test_a_container_cannot_take_the_address_of_another_or_of_the_gateway(world, net, disguise):
    gateway = lease_file.load(world.home).networks["s_default"].ipv6.gateway
    own_mac = net["evil"].interfaces[0].mac_address
    for name in ("db", "web"):  # both learn the address of the other, and of the gateway
        other = {"db": "web", "web": "db"}[name]
        assert world.ask(net[name].namespace_path, six(net[other]), 80).startswith(other)
        assert world.ask(None, six(net[name]), 80).startswith(name)
    assert known(net, "db", six(net["web"])) == net["web"].interfaces[0].mac_address
    for about in (six(net["web"]), gateway):
        for source in (about, six(net["evil"]), link.link_local_address(own_mac)):
            message = advertisement(source, about, mac(own_mac))
            if disguise in ("", "tags"):
                send(net["evil"], packet(source, ALL_NODES, ICMPV6, message), tags=(0, 0) if disguise else ())
            else:
                send(net["evil"], behind((source, ALL_NODES), message, disguise))
    assert world.ask(net["db"].namespace_path, six(net["web"]), 80).startswith("web")
    assert known(net, "db", six(net["web"])) == net["web"].interfaces[0].mac_address
    assert world.ask(None, six(net["web"]), 80).startswith("web")
    assert own_mac not in (known(net, "db", gateway), known(net, "web", six(net["db"])), known(net, "web", gateway))


def test_a_container_is_no_router(world, net):
    own = link.link_local_address(net["evil"].interfaces[0].mac_address)
    announced = router_advertisement()
    send(net["evil"], announced)
    send(net["evil"], announced.replace(packed("fe80::1"), packed(own)))
    # A container that takes advertisements is told of no router either.
    inside(net["db"].namespace_path, Path(f"{link.SYSCTL_IPV6}/eth0/accept_ra").write_text, "2")
    send(net["evil"], announced)

    def routes():
        return subprocess.run(["ip", "-6", "route"], capture_output=True, text=True, check=True).stdout

    assert world.ask(net["db"].namespace_path, six(net["web"]), 80).startswith("web")  # what came before has arrived
    for there in (inside(net["db"].namespace_path, routes), inside(net["web"].namespace_path, routes), routes()):
        assert "proto ra" not in there
        assert "fdbb" not in there


def test_a_container_sends_from_its_own_addresses_only(world, net):
    address, stranger = six(net["evil"]), six(net["web"])
    with world.socket(net["db"].namespace_path, socket.SOCK_DGRAM, socket.AF_INET6) as listener:
        listener.bind(("::", PORT))
        to = (six(net["db"]), net["db"].interfaces[0].mac_address)
        for source, text in (
            (stranger, b"another's"),
            ("2001:db8::9", b"nobody's"),
            ("::1", b"loopback"),
            (address, b"own"),
        ):
            send(net["evil"], udp(source, to[0], text), to[1])
        listener.settimeout(20)
        assert listener.recvfrom(64)[0] == b"own"  # and nothing before it


@pytest.mark.parametrize("rules", ["with the rules", "without the rules"])
def test_frames_for_the_loopback_of_the_host_do_not_arrive(world, net, rules):
    if rules == "without the rules":
        subprocess.run(["nft", "flush", "ruleset"], check=True)
    lease = lease_file.load(world.home).networks["s_default"]
    gateway_mac = link.mac_address(lease.gateway)
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as loopback,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as anywhere,
    ):
        loopback.bind(("::1", PORT))
        anywhere.bind((lease.ipv6.gateway, PORT))
        send(net["evil"], udp(six(net["evil"]), "::1"), gateway_mac)
        send(net["evil"], udp("::1", lease.ipv6.gateway), gateway_mac)
        send(net["evil"], udp(six(net["evil"]), lease.ipv6.gateway, b"allowed"), gateway_mac)
        anywhere.settimeout(20)
        assert anywhere.recv(64) == b"allowed"  # and nothing before it
        loopback.setblocking(False)
        with pytest.raises(BlockingIOError):
            loopback.recv(64)


def test_a_network_without_ipv6_takes_none(world, net):
    """A container with CAP_NET_ADMIN can give itself an address there, but not reach the host."""
    world.network("s_four")
    four = world.attach("four", "s_four")
    bridge = lease_file.load(world.home).networks["s_four"].bridge
    inside(four.namespace_path, Path(f"{link.SYSCTL_IPV6}/eth0/disable_ipv6").write_text, "0")
    Path(f"{link.SYSCTL_IPV6}/{bridge}/disable_ipv6").write_text("0")  # as a careless program might
    subprocess.run(["ip", "address", "add", "fd99::1/64", "dev", bridge, "nodad"], check=True)
    command = ["ip", "address", "add", "fd99::2/64", "dev", "eth0", "nodad"]
    inside(four.namespace_path, subprocess.run, command, check=True)
    world.serve(None, 6001, host="::")
    assert world.cannot_reach(four.namespace_path, "fd99::1", 6001)


def test_what_may_follow_the_header():
    program = from_container(["fd00::2"])
    assert run(program, packet("fd00::2", "ff02::16", OPTIONS, bytes([ICMPV6, 0, 5, 2, 0, 0, 1, 0, REPORT, 0])))
    assert not run(program, packet("fd00::2", "ff02::16", OPTIONS, bytes([ICMPV6, 0, 5, 2, 0, 0, 1, 0, 134, 0])))
    assert not run(program, packet("fd00::2", "ff02::16", OPTIONS, bytes([UDP, 0, 5, 2, 0, 0, 1, 0, REPORT, 0])))
    assert not run(program, packet("fd00::2", "fd00::3", ROUTING, bytes(24)))
    assert not run(program, packet("fd00::2", "fd00::3", ICMPV6, bytes([REDIRECT]) + bytes(40)))
    first, later = bytes([ICMPV6, 0, 0, 1]) + bytes(4), bytes([ICMPV6, 0, 0, 9]) + bytes(4)
    assert run(program, packet("fd00::2", "fd00::3", FRAGMENT, bytes([UDP]) + bytes(23)))
    assert run(program, packet("fd00::2", "fd00::3", FRAGMENT, first + bytes([128]) + bytes(23)))  # a large ping
    assert run(program, packet("fd00::2", "fd00::3", FRAGMENT, later + bytes([ADVERTISEMENT]) + bytes(23)))
    for kind in (134, SOLICITATION, ADVERTISEMENT, REDIRECT):
        assert not run(program, packet("fd00::2", "fd00::3", FRAGMENT, first + bytes([kind]) + bytes(23)))
    for header in (OPTIONS, ROUTING, FRAGMENT, DESTINATION):
        assert not run(program, packet("fd00::2", "fd00::3", FRAGMENT, bytes([header]) + bytes(23)))
    assert run(program, packet("::", "ff02::1:ff00:2", ICMPV6, bytes([SOLICITATION]) + bytes(24)))
    assert not run(program, packet("::", "ff02::1", ICMPV6, bytes([ADVERTISEMENT]) + bytes(40)))


def run(program, frame):
    """Whether the program passes an IPv6 packet: an interpreter of the few instructions that it consists of."""
    accumulator, place = 0, 0
    while True:
        code, if_true, if_false, value = program[place]
        place += 1
        match code:
            case 0x06:
                return value == 0xFFFFFFFF
            case 0x15:
                place += if_true if accumulator == value else if_false
            case 0x45:
                place += if_true if accumulator & value else if_false
            case 0x20 | 0x28 | 0x30 if value == 0xFFFFF000:
                accumulator = IPV6
            case 0x20 | 0x28 | 0x30:
                size = {0x20: 4, 0x28: 2, 0x30: 1}[code]
                accumulator = int.from_bytes(frame[value - 0xFFF00000 :][:size])


def test_a_port_at_an_address_is_not_reached_by_way_of_another(world, net):
    """A neighbour of the machine that has a route to the network does not get in."""
    world.network()
    web = world.attach("front", ports=[(Port(80, 8080, "2001:db8:7::1"), None)])
    network.apply(world.home, "s")
    lan = str(world.path / "lan")
    world.serve(web.namespace_path, 80, host="::")
    route = ["ip", "-6", "route", "add", "default", "via", "2001:db8:7::1"]
    inside(lan, subprocess.run, route, check=True)
    assert world.ask(lan, "2001:db8:7::1", 8080).startswith("hello")
    assert world.cannot_reach(lan, six(web), 80)
    assert world.cannot_reach(lan, lease_file.load(world.home).networks["s_default"].ipv6.gateway, 8080)
