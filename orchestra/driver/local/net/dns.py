"""Answers to DNS messages from a zone (RFC 1035, RFC 2308, RFC 6891). Pure; the sockets are the name server's."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

if TYPE_CHECKING:
    from random import Random

    from dns.message import Message
    from dns.name import Name

    from orchestra.driver.local.net.zone import Zone

# Seconds an answer may be remembered: a replaced container is found again within these.
TTL = 5
PLAIN_UDP = 512
HEADER = 12


class Forward:
    """Not one of our names: ask the other servers."""


def answer(zone: Zone, query: bytes, random: Random, *, udp: bool) -> bytes | Forward | None:
    """The reply to a query: from the zone, or Forward, or None if the message deserves no reply.

    Addresses come in random order, so that replicas share the work. A reply too large for UDP is truncated, which
    makes clients ask again by TCP.
    """
    try:
        message = dns.message.from_wire(query)
    except dns.exception.DNSException:
        return refusal(query, dns.rcode.FORMERR)
    if message.flags & dns.flags.QR:
        return None  # answering answers would make two servers talk for ever
    if message.opcode() != dns.opcode.QUERY:
        return refusal(query, dns.rcode.NOTIMP)
    if len(message.question) != 1:
        return refusal(query, dns.rcode.FORMERR)
    question = message.question[0]
    if question.rdclass != dns.rdataclass.IN:
        return Forward() if zone.forwards else refusal(query, dns.rcode.REFUSED)
    reply = _reply(zone, message, random)
    if reply is None:
        return Forward() if zone.forwards else _wire(_empty(message, dns.rcode.NXDOMAIN), message, udp=udp)
    return _wire(reply, message, udp=udp)


def refusal(query: bytes, code: int) -> bytes | None:
    """A reply with just this code; None if this is not a query."""
    if len(query) < HEADER or query[2] & 0x80:
        return None
    # Identification as asked; QR and RA set, opcode and RD as asked; no sections.
    return query[:2] + bytes([0x80 | query[2] & 0x79, 0x80 | int(code)]) + bytes(8)


def server_failure(query: bytes) -> bytes | None:
    """The reply if no other server answers."""
    return refusal(query, dns.rcode.SERVFAIL)


def _reply(zone: Zone, message: Message, random: Random) -> Message | None:
    question = message.question[0]
    if question.rdtype == dns.rdatatype.PTR:
        address = _address(question.name)
        target = zone.pointers.get(address) if address else None
        if target is None:
            return None
        reply = _empty(message, dns.rcode.NOERROR)
        reply.answer.append(dns.rrset.from_text(question.name, TTL, "IN", "PTR", f"{target}."))
        return reply
    addresses = zone.addresses.get(question.name.to_text(omit_final_dot=True).lower())
    if addresses is None:
        return None
    if not addresses:
        return _empty(message, dns.rcode.NXDOMAIN)
    reply = _empty(message, dns.rcode.NOERROR)
    # Any other type of a name that exists: no data, and no second opinion from outside (RFC 2308 section 2.2).
    for kind, is_ipv6 in ((dns.rdatatype.A, False), (dns.rdatatype.AAAA, True)):
        found = [address for address in addresses if (":" in address) is is_ipv6]
        if found and question.rdtype in (kind, dns.rdatatype.ANY):
            shuffled = random.sample(found, len(found))
            reply.answer.append(dns.rrset.from_text(question.name, TTL, "IN", kind, *shuffled))
    return reply


def _empty(message: Message, code: int) -> Message:
    reply = dns.message.make_response(message, recursion_available=True)
    reply.set_rcode(dns.rcode.Rcode(code))
    reply.flags |= dns.flags.AA
    return reply


def _wire(reply: Message, message: Message, *, udp: bool) -> bytes:
    if not udp:
        return reply.to_wire(max_size=65535)
    size = max(PLAIN_UDP, message.payload) if message.edns >= 0 else PLAIN_UDP
    return reply.to_wire(max_size=size, prefer_truncation=True)


def _address(name: Name) -> str:
    """The address that a name under in-addr.arpa or ip6.arpa stands for, else ''."""
    try:
        return str(ip_address(dns.reversename.to_address(name)))
    except (dns.exception.DNSException, ValueError):
        return ""
