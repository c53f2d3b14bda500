from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from orchestra.names.cache import Cache
from orchestra.names.message import read_query

SOA = "ns. hostmaster. 1 2 3 4 60"


def reply(*answers, authority=(), code=dns.rcode.NOERROR, edns=False, name="example.org."):
    query = dns.message.make_query(name, "A", use_edns=edns)
    made = dns.message.make_response(query)
    made.set_rcode(code)
    made.answer += [dns.rrset.from_text(*answer) for answer in answers]
    made.authority += [dns.rrset.from_text(*record) for record in authority]
    return made


def question(name="example.org."):
    return read_query(dns.message.make_query(name, "A").to_wire()).question


def remember(made, cache=None):
    cache = Cache() if cache is None else cache
    cache.put("key", made.to_wire(), 100.0)
    return cache


def get(cache, now, name="example.org."):
    body = cache.get("key", question(name), now)
    return None if body is None else dns.message.from_wire(b"\0\0" + body)


ADDRESS = ("example.org.", 30, "IN", "A", "192.0.2.1")


def test_a_reply_is_remembered_as_long_as_it_says_and_has_less_time_left():
    cache = remember(
        reply(("example.org.", 50, "IN", "CNAME", "other.org."), ("other.org.", 30, "IN", "A", "192.0.2.1"))
    )
    assert [rrset.ttl for rrset in get(cache, 129.0).answer] == [21, 1]
    assert get(cache, 130.0) is None
    assert len(cache) == 0


def test_the_spelling_is_that_of_the_question():
    assert str(get(remember(reply(ADDRESS)), 101.0, "eXample.ORG.").answer[0].name) == "eXample.ORG."


def test_what_there_is_not_is_remembered_as_long_as_its_authority_says():
    for code in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        for ttl, ends in ((900, 160.0), (20, 120.0)):
            cache = remember(reply(authority=[("org.", ttl, "IN", "SOA", SOA)], code=code))
            assert get(cache, ends - 1) is not None
            assert get(cache, ends) is None
        assert get(remember(reply(code=code)), 100.0) is None
        assert get(remember(reply(authority=[("org.", 900, "IN", "NS", "ns.org.")], code=code)), 100.0) is None


def test_failures_truncated_replies_and_damaged_ones_are_not_remembered():
    truncated = reply(ADDRESS)
    truncated.flags |= dns.flags.TC
    for made in (
        truncated,
        reply(ADDRESS, code=dns.rcode.SERVFAIL),
        reply(("example.org.", 0, "IN", "A", "192.0.2.1")),
    ):
        assert get(remember(made), 100.0) is None
    whole = reply(ADDRESS).to_wire()
    for size in range(20, len(whole)):
        cache = Cache()
        cache.put("key", whole[:size], 100.0)
        assert get(cache, 100.0) is None


def test_options_of_the_transport_have_no_time():
    assert get(remember(reply(ADDRESS, edns=True)), 120.0).ednsflags == 0


def test_replies_and_bytes_are_bounded():
    wire = reply(ADDRESS).to_wire()
    few, small = Cache(most=3), Cache(most_bytes=4 * len(wire))
    for number in range(10):
        for cache in (few, small):
            cache.put(number, wire, 0.0)
            cache.get(0, question(), 0.0)  # in use, and so kept
    assert [number for number in range(10) if few.get(number, question(), 0.0)] == [0, 8, 9]
    assert len(small) == 4
