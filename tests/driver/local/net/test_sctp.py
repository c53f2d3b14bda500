"""Ports of SCTP: published where the kernel has it, and refused with the reason where it does not."""

from __future__ import annotations

import socket
import threading

import pytest

from orchestra.driver.local.net import network
from orchestra.driver.local.net.ports import PortReservations
from orchestra.engine.driver import PortUnavailable
from orchestra.linux.network.namespace import inside
from orchestra.model.container import Port

from .conftest import needs_network

pytestmark = needs_network


def sctp_socket(family=socket.AF_INET):
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_SCTP)


def has_sctp() -> bool:
    try:
        sctp_socket().close()
    except OSError:
        return False
    return True


needs_sctp = pytest.mark.skipif(not has_sctp(), reason="the kernel has no sctp")
SCTP = Port(38412, 38412, "", "sctp")


@pytest.fixture
def ports(world):
    made = PortReservations()
    yield made
    made.close()


def serve(world, namespace, port, family=socket.AF_INET):
    listener = inside(namespace, sctp_socket, family)
    listener.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    listener.listen(8)
    world.resources.callback(listener.close)

    def run():
        while True:
            try:
                connection, client = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(client[0].encode())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    world.resources.callback(thread.join)
    world.resources.callback(listener.shutdown, socket.SHUT_RDWR)


def ask(namespace, host, port, family=socket.AF_INET):
    """What the server there takes its client for."""
    with inside(namespace, sctp_socket, family) if namespace else sctp_socket(family) as client:
        client.settimeout(20)
        client.connect((host, port))
        return client.recv(100).decode()


@pytest.mark.skipif(has_sctp(), reason="the kernel has sctp")
def test_a_kernel_without_sctp_is_named(ports):
    with pytest.raises(PortUnavailable, match=r"port 38412/sctp on 0\.0\.0\.0: the kernel has no sctp") as caught:
        ports.reserve("a", [SCTP])
    assert "modprobe sctp" in caught.value.hint


def test_the_rules_lead_it_to_the_container(world):
    world.network()
    web = world.attach("web", ports=[(SCTP, 0), (Port(38412, 38413, "127.0.0.1", "sctp"), 0)])
    network.apply(world.home, "s")
    rules = world.ruleset()
    address = web.addresses["s_default"]
    assert f"sctp dport 38412 dnat to {address}:38412" in rules
    assert f"ip daddr 127.0.0.1 sctp dport 38413 dnat to {address}:38412" in rules


@needs_sctp
def test_a_port_is_held_beside_those_of_other_protocols(ports):
    reserved = ports.reserve("a", [SCTP, Port(80, 38412), Port(80, 38412, "", "udp")], (True, True))
    assert [(port.protocol, port.host_ip) for port in reserved] == [
        (protocol, host) for protocol in ("sctp", "tcp", "udp") for host in ("0.0.0.0", "::")
    ]
    with sctp_socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("0.0.0.0", 38412))
    ports.release("a")
    with sctp_socket() as other:
        other.bind(("127.0.0.1", 38412))
        other.listen(1)
        with pytest.raises(PortUnavailable, match=r"38412/sctp on 0\.0\.0\.0 is already in use by \S+ \(pid \d+\)"):
            ports.reserve("a", [SCTP])


@needs_sctp
def test_a_published_port_leads_to_the_container(world):
    lan = world.outside("lan", "192.168.77", ipv6="2001:db8:7")
    world.network(ipv6=True)
    published = [(38412, Port(38412, 38412, host, "sctp")) for host in ("0.0.0.0", "::")]
    web = world.attach("web", ports=[(port, 0) for _, port in published])
    world.network("s_other")
    other = world.attach("other", "s_other")
    network.apply(world.home, "s")
    serve(world, web.namespace_path, 38412)
    assert ask(lan, "192.168.77.1", 38412) == "192.168.77.2"
    assert ask(None, "192.168.77.1", 38412)
    assert ask(other.namespace_path, "192.168.77.1", 38412)
    with pytest.raises(OSError, match=r"timed out|unreachable|refused"):
        ask(other.namespace_path, web.addresses["s_default"], 38412)


@needs_sctp
def test_by_ipv6(world):
    lan = world.outside("lan", "192.168.77", ipv6="2001:db8:7")
    world.network(ipv6=True)
    web = world.attach("web", ports=[(Port(38412, 38412, "::", "sctp"), 0)])
    network.apply(world.home, "s")
    serve(world, web.namespace_path, 38412, socket.AF_INET6)
    assert ask(lan, "2001:db8:7::1", 38412, socket.AF_INET6) == "2001:db8:7::2"
