"""The few rtnetlink messages that container networks need (rtnetlink(7), netlink(7), linux/if_link.h).

A socket belongs to the network namespace of the thread that opens it and keeps to it, wherever it is used later.
Requests are values; ``Netlink.send`` puts several into one datagram. Every failure is an OSError that names the call,
the object and, when the kernel gives one, its own explanation.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

NETLINK_ROUTE = 0
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 270, 10, 11, 12

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK, NLM_F_DUMP_INTR = 0x1, 0x2, 0x4, 0x10
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_DUMP = 0x100, 0x200, 0x400, 0x300
NLA_F_NESTED, NLA_TYPE_MASK = 0x8000, 0x3FFF
NLMSGERR_ATTR_MSG = 1

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26

IFF_UP, IFF_LOOPBACK = 0x1, 0x8
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER = 1, 3, 4, 10
IFLA_LINKINFO, IFLA_IFALIAS, IFLA_AF_SPEC, IFLA_NET_NS_FD = 18, 20, 26, 28
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS = 29, 8
IFLA_BR_MCAST_SNOOPING = 23
IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE = 8, 1
VETH_INFO_PEER = 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 3, 0, 1

# The kernel documents 255 bytes (IFALIASZ is 256 with the final NUL), and 15 for names (IFNAMSIZ is 16).
ALIAS_MAX = 255
NAME_MAX = 15


class Request(NamedTuple):
    """One message. ``call`` and ``subject`` are for the error: what was asked, of which object."""

    call: str
    subject: str
    type: int
    flags: int
    payload: bytes


class Link(NamedTuple):
    """A network interface. number: its ifindex; master: that of the bridge it is a port of, or 0.

    kind: ``bridge``, ``veth`` and so on, '' for a device that has none.
    """

    number: int
    name: str
    kind: str
    alias: str
    master: int
    up: bool
    loopback: bool


class Address(NamedTuple):
    """An IPv4 address of the interface with the number ``link``."""

    link: int
    address: str
    prefix: int


class Route(NamedTuple):
    """An IPv4 route of any table. destination '' with prefix 0: the default route. link 0: of no single interface."""

    link: int
    destination: str
    prefix: int
    gateway: str
    table: int


def new_bridge(name: str, *, address: bytes, mtu: int) -> Request:
    """A bridge with a fixed hardware address, so that it does not change with the ports that come and go."""
    data = _attribute(IFLA_BR_MCAST_SNOOPING, b"\0")
    info = _text(IFLA_INFO_KIND, "bridge") + _nested(IFLA_INFO_DATA, data)
    body = _ifinfo() + _text(IFLA_IFNAME, name) + _attribute(IFLA_ADDRESS, address) + _u32(IFLA_MTU, mtu)
    body += _nested(IFLA_LINKINFO, info)
    return Request("new bridge", name, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def new_veth(name: str, *, peer: str, namespace: int, address: bytes, mtu: int) -> Request:
    """A veth pair, both ends down: ``name`` here, ``peer`` with the hardware address in ``namespace`` (a descriptor).

    The kernel refuses to bring an end up in the same message: neither knows the other yet.
    """
    end = _ifinfo() + _text(IFLA_IFNAME, peer) + _attribute(IFLA_ADDRESS, address)
    end += _u32(IFLA_NET_NS_FD, namespace) + _u32(IFLA_MTU, mtu)
    info = _text(IFLA_INFO_KIND, "veth") + _nested(IFLA_INFO_DATA, _nested(VETH_INFO_PEER, end))
    body = _ifinfo() + _text(IFLA_IFNAME, name) + _u32(IFLA_MTU, mtu) + _nested(IFLA_LINKINFO, info)
    return Request("new veth", name, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def set_alias(name: str, alias: str) -> Request:
    body = _ifinfo() + _text(IFLA_IFNAME, name) + _attribute(IFLA_IFALIAS, alias.encode()[:ALIAS_MAX])
    return Request("set alias", name, RTM_SETLINK, 0, body)


def set_no_link_local(name: str) -> Request:
    """Let the interface make itself no IPv6 address when it comes up."""
    mode = _attribute(IFLA_INET6_ADDR_GEN_MODE, bytes([IN6_ADDR_GEN_MODE_NONE]))
    body = _ifinfo() + _text(IFLA_IFNAME, name) + _nested(IFLA_AF_SPEC, _nested(socket.AF_INET6, mode))
    return Request("set addrgenmode", name, RTM_SETLINK, 0, body)


def set_up(name: str, *, master: int = 0) -> Request:
    """Bring an interface up, and make it a port of the bridge with the number ``master``."""
    body = _ifinfo(up=True) + _text(IFLA_IFNAME, name) + (_u32(IFLA_MASTER, master) if master else b"")
    return Request("set up", name, RTM_SETLINK, 0, body)


def delete_link(name: str) -> Request:
    return Request("delete link", name, RTM_DELLINK, 0, _ifinfo() + _text(IFLA_IFNAME, name))


def add_address(link: int, address: str, prefix: int) -> Request:
    """Add an IPv4 address; one that is there already is left as it is."""
    packed = socket.inet_aton(address)
    body = struct.pack("=BBBBI", socket.AF_INET, prefix, 0, RT_SCOPE_UNIVERSE, link)
    body += _attribute(IFA_LOCAL, packed) + _attribute(IFA_ADDRESS, packed)
    return Request("add address", f"{address}/{prefix}", RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body)


def set_default_route(gateway: str, link: int) -> Request:
    """Set the default route of the main table, replacing one that is there."""
    family = struct.pack(
        "=BBBBBBBBI", socket.AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0
    )
    body = family + _attribute(RTA_GATEWAY, socket.inet_aton(gateway)) + _u32(RTA_OIF, link)
    return Request("set default route", gateway, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body)


class Netlink:
    """A NETLINK_ROUTE socket in the network namespace of the opening thread. For one thread at a time."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self._sequence = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, *requests: Request) -> None:
        """Make the kernel execute the requests in order.

        Each stands alone: after one fails the following are executed nevertheless, and the first error is raised.
        """
        waiting: dict[int, Request] = {}
        datagram = b""
        for request in requests:
            self._sequence += 1
            waiting[self._sequence] = request
            datagram += _message(request, NLM_F_REQUEST | NLM_F_ACK, self._sequence)
        self._socket.send(datagram)
        first: OSError | None = None
        while waiting:
            for type_, flags, sequence, body in _messages(self._socket.recv(1 << 16)):
                answered = waiting.pop(sequence, None) if type_ == NLMSG_ERROR else None
                if answered is not None:
                    first = first or _error(answered, flags, body)
        if first is not None:
            raise first

    def links(self, kind: str = "") -> list[Link]:
        """All interfaces, or those of one kind. Statistics, the bulk of an answer, are left out by the kernel."""
        body = _ifinfo() + _u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
        if kind:
            body += _nested(IFLA_LINKINFO, _text(IFLA_INFO_KIND, kind))
        request = Request("list links", kind, RTM_GETLINK, NLM_F_DUMP, body)
        return [_link(body) for body in self._dump(request)]

    def link(self, name: str) -> Link | None:
        """The interface of that name, or None when there is none."""
        self._sequence += 1
        request = Request("get link", name, RTM_GETLINK, 0, _ifinfo() + _text(IFLA_IFNAME, name))
        self._socket.send(_message(request, NLM_F_REQUEST, self._sequence))
        while True:
            for type_, flags, sequence, body in _messages(self._socket.recv(1 << 16)):
                if sequence != self._sequence:
                    continue
                if type_ != NLMSG_ERROR:
                    return _link(body)
                error = _error(request, flags, body)
                if error is not None and error.errno != errno.ENODEV:
                    raise error
                return None

    def addresses(self) -> list[Address]:
        """All IPv4 addresses."""
        family = struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, 0)
        found: list[Address] = []
        for body in self._dump(Request("list addresses", "", RTM_GETADDR, NLM_F_DUMP, family)):
            _, prefix, _, _, index = struct.unpack_from("=BBBBI", body)
            attributes = dict(_attributes(body[8:]))
            packed = attributes.get(IFA_LOCAL) or attributes[IFA_ADDRESS]
            found.append(Address(index, socket.inet_ntoa(packed), prefix))
        return found

    def routes(self) -> list[Route]:
        """All IPv4 unicast routes of all tables."""
        family = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
        found: list[Route] = []
        for body in self._dump(Request("list routes", "", RTM_GETROUTE, NLM_F_DUMP, family)):
            _, prefix, _, _, table, _, _, kind, _ = struct.unpack_from("=BBBBBBBBI", body)
            if kind != RTN_UNICAST:
                continue
            attributes = dict(_attributes(body[12:]))
            index = struct.unpack("=I", attributes[RTA_OIF])[0] if RTA_OIF in attributes else 0
            found.append(
                Route(index, _ipv4(attributes.get(RTA_DST)), prefix, _ipv4(attributes.get(RTA_GATEWAY)), table)
            )
        return found

    def _dump(self, request: Request) -> list[bytes]:
        # An interrupted dump may miss objects (NLM_F_DUMP_INTR): ask again until one came in one piece.
        while True:
            self._sequence += 1
            self._socket.send(_message(request, NLM_F_REQUEST, self._sequence))
            bodies: list[bytes] = []
            done = interrupted = False
            while not done:
                for type_, flags, sequence, body in _messages(self._socket.recv(1 << 16)):
                    if sequence != self._sequence:
                        continue
                    interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
                    if type_ == NLMSG_DONE:
                        done = True
                    elif type_ == NLMSG_ERROR:
                        raise _error(request, flags, body) or OSError(f"{request.call}: no answer")
                    else:
                        bodies.append(body)
            if not interrupted:
                return bodies


def _ifinfo(*, up: bool = False) -> bytes:
    flags = IFF_UP if up else 0
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 0, flags, flags)


def _attribute(type_: int, value: bytes) -> bytes:
    padding = b"\0" * (-len(value) % 4)
    return struct.pack("=HH", 4 + len(value), type_) + value + padding


def _nested(type_: int, value: bytes) -> bytes:
    return _attribute(type_ | NLA_F_NESTED, value)


def _text(type_: int, value: str) -> bytes:
    return _attribute(type_, value.encode() + b"\0")


def _u32(type_: int, value: int) -> bytes:
    return _attribute(type_, struct.pack("=I", value))


def _ipv4(packed: bytes | None) -> str:
    return socket.inet_ntoa(packed) if packed else ""


def _message(request: Request, flags: int, sequence: int) -> bytes:
    padding = b"\0" * (-len(request.payload) % 4)
    header = struct.pack("=IHHII", 16 + len(request.payload), request.type, request.flags | flags, sequence, 0)
    return header + request.payload + padding


def _messages(datagram: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    offset = 0
    while offset + 16 <= len(datagram):
        length, type_, flags, sequence, _ = struct.unpack_from("=IHHII", datagram, offset)
        yield type_, flags, sequence, datagram[offset + 16 : offset + length]
        offset += (length + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 4 <= len(data):
        length, type_ = struct.unpack_from("=HH", data, offset)
        yield type_ & NLA_TYPE_MASK, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def _link(body: bytes) -> Link:
    _, _, number, flags, _ = struct.unpack_from("=BxHiII", body)
    attributes = dict(_attributes(body[16:]))
    info = dict(_attributes(attributes.get(IFLA_LINKINFO, b"")))
    master = struct.unpack("=I", attributes[IFLA_MASTER])[0] if IFLA_MASTER in attributes else 0
    return Link(
        number=number,
        name=_string(attributes.get(IFLA_IFNAME)),
        kind=_string(info.get(IFLA_INFO_KIND)),
        alias=_string(attributes.get(IFLA_IFALIAS)),
        master=master,
        up=bool(flags & IFF_UP),
        loopback=bool(flags & IFF_LOOPBACK),
    )


def _string(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode(errors="replace")


def _error(request: Request, flags: int, body: bytes) -> OSError | None:
    """The error that an NLMSG_ERROR carries, with the kernel's explanation (extended ACK); None for success."""
    number = -struct.unpack_from("=i", body)[0]
    if number == 0:
        return None
    explanation = ""
    if flags & NLM_F_ACK_TLVS:
        # With NETLINK_CAP_ACK only the header of the request is echoed, the attributes follow it.
        explanation = _string(dict(_attributes(body[20:])).get(NLMSGERR_ATTR_MSG))
    reason = os.strerror(number) + (f" ({explanation})" if explanation else "")
    return OSError(number, f"{request.call}: {reason}", request.subject)
