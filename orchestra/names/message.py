"""DNS messages as bytes (RFC 1035, RFC 2308, RFC 6891): reading questions, and making and reading replies. Pure.

A *body* is a message without its first two bytes, the ID: equal questions have equal bodies, and equal replies too.
Names are in wire form and lower case, as keys: the bytes of lengths are below those of letters, so ``bytes.lower``
leaves them alone.
"""

from __future__ import annotations

import socket
import struct
from enum import IntEnum

from orchestra.named_tuple import NamedTuple

LARGEST_QUESTION = 4096
"""Bytes; more than any resolver library sends."""
LARGEST = 65535
PLAIN_UDP = 512
PAYLOAD = 1232
"""Bytes that we take over UDP, and so never a fragment (dnsflagday.net/2020)."""
TTL = 1
"""Seconds an address may be remembered: a replaced container is found again within these, and one that is drained is
asked for no longer than that."""
NEGATIVE_TTL = 1
"""Seconds it may be remembered that there is no address: containers that wait for each other look again soon."""

A, SOA, PTR, AAAA, OPT, ANY = 1, 6, 12, 28, 41, 255
IN = 1
RESPONSE, OPCODE, AUTHORITATIVE, TRUNCATED, RECURSION_DESIRED = 0x8000, 0x7800, 0x0400, 0x0200, 0x0100
RECURSION_AVAILABLE, CHECKING_DISABLED = 0x0080, 0x0010
DNSSEC_OK = 0x8000

COUNTS_AT, QUESTION_AT = 4, 12
_COUNTS = struct.Struct("!5H")  # flags, then how many records each section has
_KIND = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_NUMBER = struct.Struct("!I")


class Rcode(IntEnum):
    """RFC 1035 section 4.1.1; BADVERS has a part in the OPT record (RFC 6891 section 6.1.3)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


class Malformed(ValueError):
    """A query that gets no more than this code."""

    def __init__(self, code: Rcode) -> None:
        super().__init__(code.name)
        self.code = code


class Extension(NamedTuple):
    """The OPT record of a query. payload: bytes that the client takes over UDP."""

    payload: int
    version: int
    dnssec_ok: bool


class Query(NamedTuple):
    """question: as asked, for the reply. name: wire form, lower case. type and class_: RFC 1035 section 3.2."""

    flags: int
    question: bytes
    name: bytes
    type: int
    class_: int
    extension: Extension | None

    @property
    def largest_reply(self) -> int:
        """Bytes that the client takes over UDP."""
        return max(PLAIN_UDP, self.extension.payload) if self.extension else PLAIN_UDP


def wire_name(name: str) -> bytes | None:
    """The key of a name without a final dot; None if it cannot be a name of the DNS."""
    labels = [label.encode() for label in name.lower().split(".")]
    if not all(0 < len(label) < 64 for label in labels):
        return None
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return wire if len(wire) < 256 else None


def pointer_name(address: bytes) -> bytes:
    """The name below in-addr.arpa or ip6.arpa of a packed address (RFC 1035 section 3.5, RFC 3596 section 2.5)."""
    if len(address) == 4:
        labels, zone = [str(byte) for byte in reversed(address)], "in-addr"
    else:
        labels, zone = list(reversed(address.hex())), "ip6"
    found = wire_name(".".join([*labels, zone, "arpa"]))
    assert found is not None
    return found


def pack_address(address: str) -> bytes:
    """Raises OSError for what is no address."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def read_query(packet: bytes) -> Query | None:
    """None if the packet deserves no reply: answering answers would make two servers talk for ever.

    Raises Malformed.
    """
    if len(packet) < QUESTION_AT or packet[2] & 0x80:
        return None
    flags, questions, *others = _COUNTS.unpack_from(packet, 2)
    if flags & OPCODE:
        raise Malformed(Rcode.NOTIMP)
    if questions != 1:  # RFC 9619
        raise Malformed(Rcode.FORMERR)
    try:
        return _read_query(packet, flags, others)
    except (IndexError, struct.error):
        raise Malformed(Rcode.FORMERR) from None


def _read_query(packet: bytes, flags: int, others: list[int]) -> Query:
    end = _end_of_name(packet, QUESTION_AT)
    if end - QUESTION_AT > 255 or packet[end - 2] >= 0xC0:
        raise Malformed(Rcode.FORMERR)  # the first name of a message has nothing to point to
    type_, class_ = _KIND.unpack_from(packet, end)
    extension: Extension | None = None
    at = end + _KIND.size
    for number in range(sum(others)):
        owner, at = at, _end_of_name(packet, at)
        kind, payload, more, length = _RECORD.unpack_from(packet, at)
        at += _RECORD.size + length
        if kind == OPT:
            if extension is not None or packet[owner] or number < others[0] + others[1]:
                raise Malformed(Rcode.FORMERR)
            extension = Extension(payload, more >> 16 & 0xFF, bool(more & DNSSEC_OK))
    if at != len(packet):
        raise Malformed(Rcode.FORMERR)
    return Query(flags, packet[QUESTION_AT : end + 4], packet[QUESTION_AT:end].lower(), type_, class_, extension)


def _end_of_name(packet: bytes, at: int, *, may_point: bool = True) -> int:
    """Where the name at ``at`` ends. Raises IndexError, or Malformed."""
    while length := packet[at]:
        if length >= 0xC0 and may_point:
            return at + 2
        if length > 63:
            raise Malformed(Rcode.FORMERR)
        at += 1 + length
    return at + 1


def refusal(packet: bytes, code: Rcode) -> bytes:
    """The body of a reply to what cannot be read: no sections."""
    flags = RESPONSE | RECURSION_AVAILABLE | packet[2] << 8 & (OPCODE | RECURSION_DESIRED) | code
    return _COUNTS.pack(flags, 0, 0, 0, 0)


def address_record(address: bytes) -> bytes:
    """For the name in question."""
    return b"\xc0\x0c" + _RECORD.pack(A if len(address) == 4 else AAAA, IN, TTL, len(address)) + address


def pointer_record(target: bytes) -> bytes:
    return b"\xc0\x0c" + _RECORD.pack(PTR, IN, TTL, len(target)) + target


AUTHORITY = b"\0" + _RECORD.pack(SOA, IN, NEGATIVE_TTL, 22) + b"\0\0" + struct.pack("!5I", 1, 0, 0, 0, NEGATIVE_TTL)
"""The record that lets a client remember that there is no answer (RFC 2308 section 3). Our names have no other zone
in common than the root.
"""


def reply(query: Query, code: Rcode = Rcode.NOERROR, answers: int = 0, *, ours: bool = True) -> tuple[bytes, bytes]:
    """What comes before and after the records that answer the query; without any, and ``ours``, AUTHORITY follows."""
    flags = RESPONSE | RECURSION_AVAILABLE | query.flags & (RECURSION_DESIRED | CHECKING_DISABLED) | code & 0xF
    negative = ours and not answers and code in (Rcode.NOERROR, Rcode.NXDOMAIN)
    option = b""
    if query.extension is not None:
        more = (code >> 4) << 24 | (DNSSEC_OK if query.extension.dnssec_ok else 0)
        option = b"\0" + _RECORD.pack(OPT, PAYLOAD, more, 0)
    head = _COUNTS.pack(flags | (AUTHORITATIVE if ours else 0), 1, answers, int(negative), int(bool(option)))
    return head + query.question, (AUTHORITY if negative else b"") + option


def empty_reply(query: Query, code: Rcode, *, ours: bool = True) -> bytes:
    """The body of a reply without answers."""
    return b"".join(reply(query, code, ours=ours))


def truncated_reply(query: Query) -> bytes:
    """The body of a reply that makes the client ask again over TCP."""
    body = b"".join(reply(query, ours=False))
    return bytes((body[0] | TRUNCATED >> 8 | AUTHORITATIVE >> 8,)) + body[1:]


def is_reply_to(question: bytes, packet: bytes) -> bool:
    """Whether the packet answers this question, and not another one; upper and lower case may differ."""
    return (
        len(packet) >= QUESTION_AT
        and bool(packet[2] & 0x80)
        and packet[COUNTS_AT : COUNTS_AT + 2] == b"\0\1"
        and packet[QUESTION_AT : QUESTION_AT + len(question)].lower() == question.lower()
    )


def code_of(packet: bytes) -> int:
    return packet[3] & 0xF


class Lifetime(NamedTuple):
    """How long a reply may be remembered, in seconds, and where the times of its records are in its body."""

    seconds: int
    places: tuple[int, ...]


def lifetime(packet: bytes) -> Lifetime | None:
    """None if it must not be remembered: truncated, failed, without any time, or malformed (RFC 2308)."""
    flags, _, *counts = _COUNTS.unpack_from(packet, 2)
    code = flags & 0xF
    if flags & TRUNCATED or code not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        return None
    places: list[int] = []
    seconds: list[int] = []
    # A negative answer without an SOA record has no time of its own.
    is_known = bool(counts[0]) and code == Rcode.NOERROR
    try:
        at = _end_of_name(packet, QUESTION_AT) + _KIND.size
        for number in range(sum(counts)):
            at = _end_of_name(packet, at)
            kind, _, left, length = _RECORD.unpack_from(packet, at)
            if kind != OPT:
                places.append(at + _KIND.size - 2)
                seconds.append(0 if left >> 31 else left)  # RFC 2181 section 8
            at += _RECORD.size + length
            if kind == SOA and counts[0] <= number < counts[0] + counts[1]:
                is_known = True
                seconds.append(_NUMBER.unpack_from(packet, at - _NUMBER.size)[0])  # MINIMUM, RFC 2308 section 4
    except (IndexError, struct.error, Malformed):
        return None
    return Lifetime(min(seconds), tuple(places)) if at == len(packet) and is_known else None


def aged(body: bytes, places: tuple[int, ...], seconds: int) -> bytes:
    """The same reply so many seconds later, when the times of its records have less left."""
    made = bytearray(body)
    for at in places:
        (left,) = _NUMBER.unpack_from(made, at)
        _NUMBER.pack_into(made, at, max(0, left - seconds))
    return bytes(made)
