"""Answers as a pure function of zone and message."""

from __future__ import annotations

from random import Random

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.driver.local.net.dns import Forward, answer, server_failure
from orchestra.driver.local.net.projection import Named
from orchestra.driver.local.net.zone import Zone, directory_of, zone_of

REPLICAS = tuple(f"10.0.0.{n}" for n in range(2, 62))
ZONE = Zone({"web": ("10.0.0.2",), "many": REPLICAS, "gone": ()}, {"10.0.0.2": "s-web-1.net"})


def ask(name, kind="A", zone=ZONE, *, udp=True, **more):
    wire = answer(zone, dns.message.make_query(name, kind, **more).to_wire(), Random(1), udp=udp)
    return wire if isinstance(wire, Forward) else dns.message.from_wire(wire)


def test_a_name_is_answered_with_authority_and_without_regard_to_case():
    reply = ask("WEB.")
    assert str(reply.answer[0][0]) == "10.0.0.2"
    assert reply.flags & dns.flags.AA
    assert reply.flags & dns.flags.RA
    assert str(reply.question[0].name) == "WEB."


def test_replicas_come_in_changing_order():
    orders = set()
    for seed in range(20):
        wire = answer(ZONE, dns.message.make_query("many", "A").to_wire(), Random(seed), udp=False)
        orders.add(str(dns.message.from_wire(wire).answer[0][0]))
    assert len(orders) > 5


def test_a_reply_too_large_for_udp_is_truncated_unless_the_client_takes_more():
    assert ask("many").flags & dns.flags.TC
    assert len(ask("many", use_edns=0, payload=4096).answer[0]) == 60
    assert not ask("many", udp=False).flags & dns.flags.TC


@pytest.mark.parametrize(
    ("name", "kind"), [("elsewhere.example", "A"), ("9.9.9.9.in-addr.arpa", "PTR"), ("x.arpa", "PTR")]
)
def test_what_is_not_ours_is_forwarded(name, kind):
    assert isinstance(ask(name, kind), Forward)


def test_what_is_not_ours_does_not_exist_where_nothing_is_forwarded():
    assert ask("elsewhere.example", zone=Zone(forwards=False)).rcode() == dns.rcode.NXDOMAIN


def test_a_name_whose_containers_are_stopped_does_not_exist():
    assert ask("gone").rcode() == dns.rcode.NXDOMAIN


def test_other_operations_are_not_implemented():
    query = dns.message.make_query("web", "A")
    query.set_opcode(dns.opcode.NOTIFY)
    assert dns.message.from_wire(answer(ZONE, query.to_wire(), Random(1), udp=True)).rcode() == dns.rcode.NOTIMP


def test_replies_are_not_answered():
    query = dns.message.make_query("web", "A")
    query.flags |= dns.flags.QR
    assert answer(ZONE, query.to_wire(), Random(1), udp=True) is None


def test_a_failure_carries_the_identification_of_its_query():
    query = dns.message.make_query("web", "A")
    failure = dns.message.from_wire(server_failure(query.to_wire()))
    assert (failure.id, failure.rcode()) == (query.id, dns.rcode.SERVFAIL)


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_have_an_outcome(data, udp):
    assert isinstance(answer(ZONE, data, Random(1), udp=udp), bytes | Forward | None)


@given(st.binary(max_size=80), st.integers(0, 60), st.booleans())
def test_any_damaged_query_has_an_outcome(data, offset, udp):
    query = dns.message.make_query("web", "A", use_edns=0).to_wire()
    damaged = query[:offset] + data + query[offset + len(data) :]
    assert isinstance(answer(ZONE, damaged, Random(1), udp=udp), bytes | Forward | None)


def test_a_zone_knows_names_with_and_without_their_network():
    web = Named("s-web-1", "/c", "10.0.0.2", ("web", "Alias"))
    db = Named("s-db-1", "/d", "10.0.1.2", ("db",))
    directory = directory_of([("front", web), ("back", db)])
    zone = zone_of(directory, lambda entry: entry is web, forwards=True)
    assert zone.addresses == {
        "web": ("10.0.0.2",),
        "web.front": ("10.0.0.2",),
        "alias": ("10.0.0.2",),
        "alias.front": ("10.0.0.2",),
        "db": (),
        "db.back": (),
    }
    assert zone.pointers == {"10.0.0.2": "s-web-1.front"}


def test_an_external_link_leads_to_the_container_of_another_stack_and_hides_other_names():
    theirs = Named("shop-db-1", "/shop", "10.0.0.2", ("db", "shop-db-1"))
    directory = directory_of([("shared", theirs)])
    zone = zone_of(directory, lambda _: True, forwards=True, links=(("Store", "shop-db-1"), ("gone", "shop-web-1")))
    assert (zone.addresses["store"], zone.addresses["db"]) == (("10.0.0.2",), ("10.0.0.2",))
    assert zone.addresses["gone"] == ()


def test_names_lead_to_addresses_of_both_families():
    web = Named("s-web-1", "/c", "10.0.0.2", ("web",), "fd00::2")
    six = Named("s-six-1", "/d", "", ("six",), "fd00::3")
    directory = directory_of([("front", web), ("front", six)])
    zone = zone_of(directory, lambda _: True, forwards=False)

    def ask(name, kind):
        query = dns.message.make_query(name, kind)
        reply = dns.message.from_wire(answer(zone, query.to_wire(), Random(1), udp=True))
        return reply.rcode(), [str(each) for found in reply.answer for each in found]

    assert ask("web", "A") == (0, ["10.0.0.2"])
    assert ask("web", "AAAA") == (0, ["fd00::2"])
    assert ask("web", "ANY") == (0, ["10.0.0.2", "fd00::2"])
    assert ask("six", "A") == (0, [])  # it exists, without such an address
    assert ask("six.front", "AAAA") == (0, ["fd00::3"])
    assert ask(dns.reversename.from_address("fd00::3"), "PTR") == (0, ["s-six-1.front."])
    assert ask(dns.reversename.from_address("fd00::4"), "PTR") == (dns.rcode.NXDOMAIN, [])
