"""Host ports that are reserved for IPv4 and for IPv6."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from orchestra.driver.local.net.ports import PortReservations
from orchestra.driver.local.net.remembered_ports import RememberedPorts
from orchestra.engine.driver import PortReserved, PortUnavailable
from orchestra.model.container import Port

from .conftest import needs_network

pytestmark = needs_network

BOTH, IPV6 = (True, True), (False, True)


@pytest.fixture
def ports(world):
    with ExitStack() as opened:
        made = PortReservations()
        opened.callback(made.close)
        yield made


def hosts(reserved):
    return [(port.host_ip, port.published) for port in reserved]


def take(family, host, number):
    return socket.create_server((host, number), family=family)


def test_a_port_without_an_address_is_held_for_each_family_with_the_same_number(ports):
    assert hosts(ports.reserve("a", [Port(80, 8080)])) == [("", 8080)]
    assert hosts(ports.reserve("b", [Port(80, 8081)], BOTH)) == [("0.0.0.0", 8081), ("::", 8081)]
    assert hosts(ports.reserve("c", [Port(80, 8082)], IPV6)) == [("::", 8082)]
    first, second = ports.reserve("d", [Port(80)], BOTH)
    assert first.published == second.published
    for family, host, number in ((socket.AF_INET6, "::1", 8081), (socket.AF_INET, "127.0.0.1", 8081)):
        with pytest.raises(OSError, match="in use"):
            take(family, host, number)
    take(socket.AF_INET6, "::1", 8080).close()


def test_what_was_reserved_is_kept_when_it_is_asked_for_again(ports):
    before = ports.reserve("a", [Port(80), Port(81, 8081)], BOTH)
    assert ports.reserve("a", [Port(80), Port(81, 8081)], BOTH) == before
    assert ports.reserve("a", before) == before  # as a supervisor does that takes over
    ports.release("a")
    assert ports.reserve("b", before) == before


def test_a_port_that_is_taken_for_one_family_is_unavailable_and_leaves_nothing(ports):
    with take(socket.AF_INET6, "::1", 8080), pytest.raises(PortUnavailable, match="8080/tcp on :: is already in use"):
        ports.reserve("a", [Port(80, 8080)], BOTH)
    take(socket.AF_INET, "0.0.0.0", 8080).close()
    ports.reserve("a", [Port(80, 8080, "::")], BOTH)
    ports.reserve("b", [Port(80, 8080, "127.0.0.1")], BOTH)  # another family, another port
    with pytest.raises(PortUnavailable, match="container a of the same stack"):
        ports.reserve("c", [Port(80, 8080, "::")], BOTH)


def test_whether_a_port_is_free_is_asked_again_if_what_holds_it_cannot_be_seen(ports):
    """A container of another stack that is being made has bound it, and says so when it is made."""
    with take(socket.AF_INET, "0.0.0.0", 8080), pytest.raises(PortUnavailable, match=r"in use by \S+ \(pid") as seen:
        ports.reserve("a", [Port(80, 8080)])
    assert not seen.value.temporary
    with socket.socket() as bound:
        bound.bind(("0.0.0.0", 8080))
        with pytest.raises(PortReserved, match="in use by another program") as unseen:
            ports.reserve("a", [Port(80, 8080)])
        assert unseen.value.temporary


def test_containers_of_one_service_share_a_port_until_the_last_one_releases_it(ports):
    asked = [Port(80, 8080), Port(81)]
    first = ports.reserve("a", asked, BOTH, sharing="web")
    second = ports.reserve("b", asked, BOTH, sharing="web")
    assert hosts(second[:2]) == hosts(first[:2]) == [("0.0.0.0", 8080), ("::", 8080)]
    assert second[2].published != first[2].published
    assert ports.is_shared("a")
    with pytest.raises(PortUnavailable, match="container a of the same stack"):
        ports.reserve("c", asked, BOTH, sharing="db")
    ports.release("a")
    assert not ports.is_shared("b")
    with pytest.raises(OSError, match="in use"):
        take(socket.AF_INET, "127.0.0.1", 8080)
    ports.release("b")
    take(socket.AF_INET, "127.0.0.1", 8080).close()


def test_the_loopback_of_ipv6_is_no_place_for_a_port(ports):
    with pytest.raises(PortUnavailable, match="the kernel forwards nothing from ::1"):
        ports.reserve("a", [Port(80, 8080, "::1")], BOTH)


def test_an_automatic_port_moves_for_both_families(world, tmp_path):
    reservations = PortReservations(remembered=RememberedPorts(str(tmp_path / "ports.json")))
    with take(socket.AF_INET6, "::1", 8080):
        moved = reservations.reserve("a", [Port(80, 8080, automatic=True)], BOTH)
        assert len({port.published for port in moved}) == 1
        assert moved[0].published != 8080
        reservations.close()
        assert reservations.reserve("a", [Port(80, 8080, automatic=True)], BOTH) == moved
    reservations.close()
