"""Answers of a zone to queries, ready to be sent again and again. Pure."""

from __future__ import annotations

import os

from orchestra.names.message import (
    AAAA,
    ANY,
    IN,
    PTR,
    A,
    Rcode,
    address_record,
    empty_reply,
    pointer_record,
    reply,
    truncated_reply,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.names.message import Query
    from orchestra.names.zone import Addresses, Zone

SIZES = {A: 4, AAAA: 16}
"""Bytes of an address."""


class Answer:
    """A reply whose first records begin at another one each time, so that replicas share the work.

    head, first and tail: its body; step: the size of one of the first records, 0 for a fixed order.
    """

    __slots__ = ("_first", "_head", "_step", "_tail", "_turn")

    def __init__(self, head: bytes, first: bytes = b"", tail: bytes = b"", step: int = 0) -> None:
        turns = len(first) // step if step else 1
        if turns < 2:
            head, first, tail, step = head + first + tail, b"", b"", 0
        self._head, self._first, self._tail, self._step = head, first, tail, step
        self._turn = step * (int.from_bytes(os.urandom(2), "big") % turns)

    def __len__(self) -> int:
        return len(self._head) + len(self._first) + len(self._tail)

    def body(self) -> bytes:
        if not self._step:
            return self._head
        turn = self._turn = (self._turn + self._step) % len(self._first)
        return self._head + self._first[turn:] + self._first[:turn] + self._tail


def answer(zone: Zone, query: Query, *, forwards: bool, largest: int) -> Answer | None:
    """None if other servers have to be asked. largest: bytes of the body."""
    if query.extension is not None and query.extension.version:
        return Answer(empty_reply(query, Rcode.BADVERS, ours=False))
    if query.class_ != IN:
        return None if forwards else Answer(empty_reply(query, Rcode.REFUSED, ours=False))
    made = _of_zone(zone, query)
    if made is None:
        return None if forwards else Answer(empty_reply(query, Rcode.NXDOMAIN))
    return made if len(made) <= largest else Answer(truncated_reply(query))


def _of_zone(zone: Zone, query: Query) -> Answer | None:
    """None for a name that no stack publishes.

    Any other type of a name that exists: no data, and no second opinion from outside (RFC 2308 section 2.2).
    """
    found = zone.addresses(query.name)
    if found is not None:
        return _of_addresses(query, found)
    target = zone.pointer(query.name)
    if target is not None:
        if not target or query.type not in (PTR, ANY):
            return Answer(empty_reply(query, Rcode.NOERROR if target else Rcode.NXDOMAIN))
        head, tail = reply(query, answers=1)
        return Answer(head + pointer_record(target) + tail)
    return Answer(empty_reply(query, Rcode.NXDOMAIN)) if _is_below(zone, query.name) else None


def _of_addresses(query: Query, found: Addresses) -> Answer:
    if not found.first:
        return Answer(empty_reply(query, Rcode.NXDOMAIN))
    sizes = set(SIZES.values()) if query.type == ANY else {SIZES.get(query.type, 0)}
    first, later = (
        [address_record(address) for address in group if len(address) in sizes] for group in (found.first, found.later)
    )
    head, tail = reply(query, answers=len(first) + len(later))
    step = len(first[0]) if first and query.type != ANY else 0
    return Answer(head, b"".join(first), b"".join(later) + tail, step)


def _is_below(zone: Zone, name: bytes) -> bool:
    """Whether this is a name such as ``_http._tcp.web`` (RFC 2782) below one of our names."""
    rest = name
    while rest[0] and rest[1:2] == b"_":
        rest = rest[1 + rest[0] :]
    return rest != name and zone.has(rest)
