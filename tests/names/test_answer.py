"""Answers as a pure function of zone and message; dnspython is the other side."""

from __future__ import annotations

import struct

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.reversename
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.names.answer import answer
from orchestra.names.message import LARGEST, Malformed, Rcode, pack_address, read_query, refusal
from orchestra.names.zone import Named, Standing, View, Zone, directory_of

REPLICAS = tuple(f"10.1.0.{number}" for number in range(2, 62))


def named(container, *addresses, names=()):
    return Named(container, f"/{container}", tuple(map(pack_address, addresses)), names)


PUBLISHED = [
    ("net", named("web", "10.0.0.2", names=("web",))),
    ("net", named("dual", "10.0.0.3", "fd00::3", names=("dual",))),
    ("net", named("gone", "10.0.0.4", names=("gone",))),
    *(("net", named(f"many-{address}", address, names=("many",))) for address in REPLICAS),
    *(("net", named(name, f"10.0.9.{number}", names=("three",))) for number, name in enumerate(("ok", "ill", "fine"))),
]
STANDINGS = {"/gone": Standing(), "/ill": Standing(runs=True, is_well=False)}
ZONE = Zone(View("own", ("net",)), directory_of(PUBLISHED), lambda name: STANDINGS.get(name, Standing(runs=True)))


def reply_to(wire, *, forwards=True, udp=True):
    """The reply as bytes; None if others have to be asked."""
    try:
        query = read_query(wire)
    except Malformed as error:
        return wire[:2] + refusal(wire, error.code)
    if query is None:
        return b""
    made = answer(ZONE, query, forwards=forwards, largest=(query.largest_reply if udp else LARGEST) - 2)
    return None if made is None else wire[:2] + made.body()


def ask(name, kind="A", *, forwards=True, udp=True, **more):
    query = dns.message.make_query(name, kind, **more)
    wire = reply_to(query.to_wire(), forwards=forwards, udp=udp)
    reply = dns.message.from_wire(wire)
    assert reply.id == query.id
    return reply


def texts(reply):
    return [record.to_text() for rrset in reply.answer for record in rrset]


def test_a_name_is_answered_with_authority_and_in_the_spelling_of_the_question():
    reply = ask("wEB.")
    assert texts(reply) == ["10.0.0.2"]
    assert reply.flags & dns.flags.AA
    assert reply.flags & dns.flags.RA
    assert str(reply.question[0].name) == str(reply.answer[0].name) == "wEB."


def test_each_type_gets_the_addresses_of_its_family():
    assert texts(ask("dual")) == ["10.0.0.3"]
    assert texts(ask("dual", "AAAA")) == ["fd00::3"]
    assert texts(ask("dual", "ANY")) == ["10.0.0.3", "fd00::3"]


def test_replicas_come_in_changing_order():
    query = read_query(dns.message.make_query("many", "A").to_wire())
    made = answer(ZONE, query, forwards=True, largest=LARGEST)
    replies = [texts(dns.message.from_wire(b"\0\0" + made.body())) for _ in REPLICAS]
    assert sorted(reply[0] for reply in replies) == sorted(REPLICAS)
    assert all(set(reply) == set(REPLICAS) for reply in replies)


def test_containers_that_are_not_well_come_last():
    for _ in range(4):
        reply = texts(ask("three"))
        assert (set(reply[:2]), reply[2]) == ({"10.0.9.0", "10.0.9.2"}, "10.0.9.1")


def test_a_reply_too_large_for_udp_is_truncated_unless_the_client_takes_more():
    assert ask("many").flags & dns.flags.TC
    assert len(ask("many", use_edns=0, payload=4096).answer[0]) == 60
    assert not ask("many", udp=False).flags & dns.flags.TC


@pytest.mark.parametrize(
    ("name", "kind"), [("elsewhere.example", "A"), ("9.9.9.9.in-addr.arpa", "PTR"), ("x.arpa", "PTR"), (".", "NS")]
)
def test_what_is_not_ours_is_asked_elsewhere_if_that_is_allowed(name, kind):
    assert reply_to(dns.message.make_query(name, kind).to_wire()) is None
    assert ask(name, kind, forwards=False).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("name", ["gone", "4.0.0.10.in-addr.arpa", "_http._tcp.web"])
def test_what_is_ours_and_does_not_run_does_not_exist_for_anybody(name):
    reply = ask(name, "PTR" if name.endswith("arpa") else "A")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    (authority,) = reply.authority
    assert (authority.rdtype, authority.ttl, authority[0].minimum) == (dns.rdatatype.SOA, 1, 1)


@pytest.mark.parametrize(
    ("name", "kind"), [("web", "AAAA"), ("web", "SRV"), ("web", 65280), ("2.0.0.10.in-addr.arpa", "A")]
)
def test_a_name_that_exists_has_no_data_of_other_types(name, kind):
    reply = ask(name, kind)
    assert (reply.rcode(), reply.answer) == (dns.rcode.NOERROR, [])
    assert reply.authority[0].rdtype == dns.rdatatype.SOA


def test_addresses_of_both_families_have_names():
    assert texts(ask("3.0.0.10.in-addr.arpa", "PTR")) == ["dual.net."]
    assert texts(ask(dns.reversename.from_address("fd00::3"), "PTR")) == ["dual.net."]


def test_extensions_are_answered_and_later_versions_refused():
    reply = ask("web", use_edns=0, payload=4000, want_dnssec=True)
    assert (reply.edns, reply.payload, bool(reply.ednsflags & dns.flags.DO)) == (0, 1232, True)
    assert ask("web").edns == -1
    query = dns.message.make_query("web", "A", use_edns=1)
    assert dns.message.from_wire(reply_to(query.to_wire())).rcode() == dns.rcode.BADVERS


def test_a_query_may_have_options():
    options = [dns.edns.GenericOption(10, b"12345678")]
    assert texts(ask("web", use_edns=0, options=options)) == ["10.0.0.2"]


def test_other_operations_and_classes():
    query = dns.message.make_query("web", "A")
    query.set_opcode(dns.opcode.NOTIFY)
    assert dns.message.from_wire(reply_to(query.to_wire())).rcode() == dns.rcode.NOTIMP
    chaos = dns.message.make_query("version.bind", "TXT", "CH")
    assert reply_to(chaos.to_wire()) is None
    assert ask("version.bind", "TXT", rdclass="CH", forwards=False).rcode() == dns.rcode.REFUSED


def test_replies_are_not_answered():
    query = dns.message.make_query("web", "A")
    query.flags |= dns.flags.QR
    assert reply_to(query.to_wire()) == b""


HEAD = struct.Struct("!6H")
WEB = b"\x03web\0\0\1\0\1"
EXTENSION = b"\0\0\x29\x10\0\0\0\0\0\0\0"


@pytest.mark.parametrize(
    "wire",
    [
        HEAD.pack(1, 0, 0, 0, 0, 0),  # no question
        HEAD.pack(1, 0, 2, 0, 0, 0) + WEB + WEB,
        HEAD.pack(1, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1",  # a name that points to itself
        HEAD.pack(1, 0, 1, 0, 0, 0) + b"\x03web\xc0\x0c\0\1\0\1",
        HEAD.pack(1, 0, 1, 0, 0, 0) + b"\x43web\0\0\1\0\1",  # a label of no known kind
        HEAD.pack(1, 0, 1, 0, 0, 0) + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1",  # 257 bytes
        HEAD.pack(1, 0, 1, 0, 0, 0) + WEB[:-1],
        HEAD.pack(1, 0, 1, 0, 0, 0) + WEB + b"junk",
        HEAD.pack(1, 0, 1, 0, 0, 1) + WEB,
        HEAD.pack(1, 0, 1, 0, 0, 2) + WEB + EXTENSION * 2,
        HEAD.pack(1, 0, 1, 1, 0, 0) + WEB + EXTENSION,
        HEAD.pack(1, 0, 1, 0, 0, 1) + WEB + b"\1a" + EXTENSION,
    ],
)
def test_malformed_questions_are_named_so(wire):
    reply = reply_to(wire)
    assert (reply[:2], reply[3] & 0xF, reply[4:]) == (b"\0\1", Rcode.FORMERR, bytes(8))


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_have_an_outcome(data, udp):
    reply_to(data, udp=udp)


@given(st.binary(max_size=80), st.integers(0, 60), st.booleans())
def test_any_damaged_query_has_an_outcome(data, offset, udp):
    query = dns.message.make_query("web", "A", use_edns=0).to_wire()
    reply_to(query[:offset] + data + query[offset + len(data) :], udp=udp)


@given(st.from_regex(r"[a-zA-Z0-9_-]{1,63}(\.[a-zA-Z0-9_-]{1,63}){0,2}", fullmatch=True), st.booleans())
def test_what_a_library_writes_is_read(name, extended):
    query = dns.message.make_query(name, "AAAA", use_edns=extended)
    read = read_query(query.to_wire())
    assert (read.name, read.type, read.class_) == (query.question[0].name.to_wire().lower(), 28, 1)
    assert (read.extension is not None) == extended
