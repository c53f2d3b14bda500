"""Netlink messages and attributes (netlink(7), linux/netlink.h): from values to bytes and back."""

from __future__ import annotations

import os
import struct

from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR = 0x1, 0x4, 0x10
NLM_F_ACK_TLVS = 0x200
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_DUMP = 0x100, 0x200, 0x400, 0x300
NLA_F_NESTED, NLA_TYPE_MASK = 0x8000, 0x3FFF
NLMSGERR_ATTR_MSG = 1


class Request(NamedTuple):
    """One message. ``call`` and ``subject`` are for errors: what was asked, and about which object."""

    call: str
    subject: str
    type: int
    flags: int
    payload: bytes


class Message(NamedTuple):
    """One received message, without its header."""

    type: int
    flags: int
    sequence: int
    body: bytes


def attribute(type_: int, value: bytes) -> bytes:
    padding = b"\0" * (-len(value) % 4)
    return struct.pack("=HH", 4 + len(value), type_) + value + padding


def nested(type_: int, *values: bytes) -> bytes:
    return attribute(type_ | NLA_F_NESTED, b"".join(values))


def text(type_: int, value: str) -> bytes:
    return attribute(type_, value.encode() + b"\0")


def parse_attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    offset = 0
    while offset + 4 <= len(data):
        length, type_ = struct.unpack_from("=HH", data, offset)
        found[type_ & NLA_TYPE_MASK] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def parse_text(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode(errors="replace")


def render_message(request: Request, flags: int, sequence: int) -> bytes:
    padding = b"\0" * (-len(request.payload) % 4)
    header = struct.pack("=IHHII", 16 + len(request.payload), request.type, request.flags | flags, sequence, 0)
    return header + request.payload + padding


def parse_messages(datagram: bytes) -> Iterator[Message]:
    offset = 0
    while offset + 16 <= len(datagram):
        length, type_, flags, sequence, _ = struct.unpack_from("=IHHII", datagram, offset)
        yield Message(type_, flags, sequence, datagram[offset + 16 : offset + length])
        offset += (length + 3) & ~3


def parse_error(request: Request, message: Message) -> OSError | None:
    """The error of an NLMSG_ERROR, with the kernel's explanation (extended ACK); None for success.

    The socket must have NETLINK_CAP_ACK set: then only the header of the request is echoed, and attributes follow it.
    """
    number = -struct.unpack_from("=i", message.body)[0]
    if number == 0:
        return None
    explanation = ""
    if message.flags & NLM_F_ACK_TLVS:
        explanation = parse_text(parse_attributes(message.body[20:]).get(NLMSGERR_ATTR_MSG))
    reason = os.strerror(number) + (f" ({explanation})" if explanation else "")
    return OSError(number, f"{request.call}: {reason}", request.subject)
