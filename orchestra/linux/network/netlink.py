"""The few rtnetlink messages that container networks need (rtnetlink(7), netlink(7), linux/if_link.h).

A socket belongs to the network namespace of the thread that opens it, wherever it is used later.
Requests are values; ``Netlink.send`` puts several into one datagram. Every failure is an OSError that names the call,
the object and, when the kernel gives one, its own explanation.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from orchestra.linux.network.netlink_message import (
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    SOL_NETLINK,
    Message,
    Request,
    attribute,
    nested,
    parse_attributes,
    parse_error,
    parse_messages,
    parse_text,
    render_message,
    text,
)
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

NETLINK_ROUTE = 0

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTM_GETNSID, NETNSA_NSID, NETNSA_FD = 90, 1, 3

IFF_UP, IFF_LOOPBACK = 0x1, 0x8
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER = 1, 3, 4, 5, 10
IFLA_LINKINFO, IFLA_IFALIAS, IFLA_AF_SPEC, IFLA_NET_NS_FD, IFLA_LINK_NETNSID = 18, 20, 26, 28, 37
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
IFLA_BRPORT_MODE = 4
IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS = 29, 8
IFLA_BR_MCAST_SNOOPING = 23
IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE = 8, 1
VETH_INFO_PEER = 1
IFA_ADDRESS, IFA_LOCAL, IFA_F_NODAD = 1, 2, 0x02
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 3, 0, 1
RTM_TYPE_OFFSET = 7  # of rtm_type in struct rtmsg

# The kernel documents 255 bytes (IFALIASZ is 256 with the final NUL), and 15 for names (IFNAMSIZ is 16).
ALIAS_MAX = 255
NAME_MAX = 15


LONGEST = 1 << 15
"""Bytes of the longest datagram that the kernel sends (netlink(7)). More would make every call map memory."""

FAMILIES = (socket.AF_INET, socket.AF_INET6)
HERE = -1
"""Instead of the number of a network namespace: the one of the socket."""


class Link(NamedTuple):
    """A network interface. number: its ifindex; master: that of the bridge it is a port of, or 0.

    kind: ``bridge``, ``veth`` and so on, '' for a device without one. peer: the number of a veth's other end, or of the
    device below, in its own namespace; 0 for none. peer_namespace: the number of that namespace as seen from this one;
    HERE for this one.
    """

    number: int
    name: str
    kind: str
    alias: str
    master: int
    up: bool
    loopback: bool
    peer: int = 0
    peer_namespace: int = HERE


class Address(NamedTuple):
    """An IPv4 or IPv6 address of the interface with the number ``link``."""

    link: int
    address: str
    prefix: int


class Route(NamedTuple):
    """A route of any table. destination '' with prefix 0: the default route.

    link 0: several interfaces, or none.
    """

    link: int
    destination: str
    prefix: int
    gateway: str
    family: int = socket.AF_INET


def family_of(address: str) -> int:
    """AF_INET or AF_INET6, for an address or a network as text."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def new_bridge(name: str, *, address: bytes, mtu: int) -> Request:
    """A bridge with a fixed hardware address, which does not change as ports come and go."""
    data = attribute(IFLA_BR_MCAST_SNOOPING, b"\0")
    info = text(IFLA_INFO_KIND, "bridge") + nested(IFLA_INFO_DATA, data)
    body = _ifinfo() + text(IFLA_IFNAME, name) + attribute(IFLA_ADDRESS, address) + _u32(IFLA_MTU, mtu)
    body += nested(IFLA_LINKINFO, info)
    return Request("new bridge", name, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def new_veth(name: str, *, peer: str, namespace: int, address: bytes, mtu: int) -> Request:
    """A veth pair, both ends down: ``name`` here, ``peer`` with the hardware address in ``namespace`` (a descriptor).

    The kernel cannot bring an end up in the same message: neither end knows the other yet.
    """
    end = _ifinfo() + text(IFLA_IFNAME, peer) + attribute(IFLA_ADDRESS, address)
    end += _u32(IFLA_NET_NS_FD, namespace) + _u32(IFLA_MTU, mtu)
    info = text(IFLA_INFO_KIND, "veth") + nested(IFLA_INFO_DATA, nested(VETH_INFO_PEER, end))
    body = _ifinfo() + text(IFLA_IFNAME, name) + _u32(IFLA_MTU, mtu) + nested(IFLA_LINKINFO, info)
    return Request("new veth", name, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def set_alias(name: str, alias: str) -> Request:
    body = _ifinfo() + text(IFLA_IFNAME, name) + attribute(IFLA_IFALIAS, alias.encode()[:ALIAS_MAX])
    return Request("set alias", name, RTM_SETLINK, 0, body)


def set_no_link_local(name: str) -> Request:
    """Keep the interface from making an IPv6 address for itself when it comes up."""
    mode = attribute(IFLA_INET6_ADDR_GEN_MODE, bytes([IN6_ADDR_GEN_MODE_NONE]))
    body = _ifinfo() + text(IFLA_IFNAME, name) + nested(IFLA_AF_SPEC, nested(socket.AF_INET6, mode))
    return Request("set addrgenmode", name, RTM_SETLINK, 0, body)


def set_up(name: str, *, master: int = 0) -> Request:
    """Bring an interface up, and make it a port of the bridge with the number ``master``."""
    body = _ifinfo(up=True) + text(IFLA_IFNAME, name) + (_u32(IFLA_MASTER, master) if master else b"")
    return Request("set up", name, RTM_SETLINK, 0, body)


def set_hairpin(name: str) -> Request:
    """Let the bridge send a packet back through the port it came from. The interface must be a port already."""
    info = text(IFLA_INFO_SLAVE_KIND, "bridge")
    info += nested(IFLA_INFO_SLAVE_DATA, attribute(IFLA_BRPORT_MODE, b"\1"))
    body = _ifinfo() + text(IFLA_IFNAME, name) + nested(IFLA_LINKINFO, info)
    return Request("set hairpin mode", name, RTM_NEWLINK, 0, body)


def delete_link(name: str) -> Request:
    return Request("delete link", name, RTM_DELLINK, 0, _ifinfo() + text(IFLA_IFNAME, name))


def add_address(link: int, address: str, prefix: int) -> Request:
    """Add an address; does nothing if it exists already.

    One of IPv6 is valid at once: nothing waits to hear that no neighbour has it (RFC 4862 section 5.4).
    """
    family, packed = _packed(address)
    flags = IFA_F_NODAD if family == socket.AF_INET6 else 0
    body = struct.pack("=BBBBI", family, prefix, flags, RT_SCOPE_UNIVERSE, link)
    body += attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
    return Request("add address", f"{address}/{prefix}", RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body)


def set_default_route(gateway: str, link: int) -> Request:
    """Set the default route of the gateway's family in the main table, replacing an existing one.

    By the unspecified address it leads to the interface's own wire.
    """
    family, packed = _packed(gateway)
    head = struct.pack("=BBBBBBBBI", family, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0)
    body = head + (attribute(RTA_GATEWAY, packed) if any(packed) else b"") + _u32(RTA_OIF, link)
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
        """Have the kernel execute the requests in order.

        They are independent: after a failure the rest are still executed, and the first error is raised.
        """
        waiting: dict[int, Request] = {}
        datagram = b""
        for place, request in enumerate(requests, 1):
            self._sequence += 1
            waiting[self._sequence] = request
            # The kernel tells of every failure, and of success only if it is asked to.
            flags = NLM_F_REQUEST | NLM_F_ACK if place == len(requests) else NLM_F_REQUEST
            datagram += render_message(request, flags, self._sequence)
        self._socket.send(datagram)
        first: OSError | None = None
        while self._sequence in waiting:
            for message in self._receive():
                request_answered = waiting.pop(message.sequence, None) if message.type == NLMSG_ERROR else None
                if request_answered is not None:
                    first = first or parse_error(request_answered, message)
        if first is not None:
            raise first

    def remove_link(self, name: str) -> None:
        """Delete an interface; does nothing if there is none. The kernel removes some by itself at any time."""
        try:
            self.send(delete_link(name))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise

    def links(self, kind: str = "") -> list[Link]:
        """All interfaces, or those of one kind. The kernel leaves out statistics, the bulk of an answer."""
        body = _ifinfo() + _u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
        if kind:
            body += nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, kind))
        request = Request("list links", kind, RTM_GETLINK, NLM_F_DUMP, body)
        return [found for found in map(_link, self._dump(request)) if kind in ("", found.kind)]

    def link(self, name: str) -> Link | None:
        """The interface of that name, if there is one."""
        request = Request("get link", name, RTM_GETLINK, 0, _ifinfo() + text(IFLA_IFNAME, name))
        try:
            return _link(self._get(request))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return None

    def namespace_number(self, path: str) -> int:
        """The number by which the kernel tells this network namespace of the one pinned at ``path``; HERE for none."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            body = struct.pack("=Bxxx", socket.AF_UNSPEC) + _u32(NETNSA_FD, descriptor)
            answer = self._get(Request("get nsid", path, RTM_GETNSID, 0, body))
        finally:
            os.close(descriptor)
        return _signed(parse_attributes(answer[4:]).get(NETNSA_NSID))

    def _get(self, request: Request) -> bytes:
        """The body of the single answer. Raises OSError."""
        self._sequence += 1
        self._socket.send(render_message(request, NLM_F_REQUEST, self._sequence))
        while True:
            for message in self._receive():
                if message.sequence != self._sequence:
                    continue
                if message.type == NLMSG_ERROR:
                    raise parse_error(request, message) or OSError(f"{request.call}: no answer")
                return message.body

    def addresses(self) -> list[Address]:
        """All IPv4 and IPv6 addresses."""
        family = struct.pack("=BBBBI", socket.AF_UNSPEC, 0, 0, 0, 0)
        bodies = self._dump(Request("list addresses", "", RTM_GETADDR, NLM_F_DUMP, family))
        return [_address(body) for body in bodies if body[0] in FAMILIES]

    def routes(self) -> list[Route]:
        """All IPv4 and IPv6 unicast routes of all tables."""
        family = struct.pack("=BBBBBBBBI", socket.AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0)
        bodies = self._dump(Request("list routes", "", RTM_GETROUTE, NLM_F_DUMP, family))
        return [_route(body) for body in bodies if body[0] in FAMILIES and body[RTM_TYPE_OFFSET] == RTN_UNICAST]

    def _dump(self, request: Request) -> list[bytes]:
        # An interrupted dump may miss objects (NLM_F_DUMP_INTR): repeat until one is complete.
        while True:
            self._sequence += 1
            self._socket.send(render_message(request, NLM_F_REQUEST, self._sequence))
            bodies: list[bytes] = []
            done = interrupted = False
            while not done:
                for message in self._receive():
                    if message.sequence != self._sequence:
                        continue
                    interrupted = interrupted or bool(message.flags & NLM_F_DUMP_INTR)
                    if message.type == NLMSG_DONE:
                        done = True
                    elif message.type == NLMSG_ERROR:
                        raise parse_error(request, message) or OSError(f"{request.call}: no answer")
                    else:
                        bodies.append(message.body)
            if not interrupted:
                return bodies

    def _receive(self) -> list[Message]:
        return list(parse_messages(self._socket.recv(LONGEST)))


def _ifinfo(*, up: bool = False) -> bytes:
    flags = IFF_UP if up else 0
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 0, flags, flags)


def _u32(type_: int, value: int) -> bytes:
    return attribute(type_, struct.pack("=I", value))


def _link(body: bytes) -> Link:
    _, _, number, flags, _ = struct.unpack_from("=BxHiII", body)
    attributes = parse_attributes(body[16:])
    info = parse_attributes(attributes.get(IFLA_LINKINFO, b""))
    return Link(
        number=number,
        name=parse_text(attributes.get(IFLA_IFNAME)),
        kind=parse_text(info.get(IFLA_INFO_KIND)),
        alias=parse_text(attributes.get(IFLA_IFALIAS)),
        master=_number(attributes.get(IFLA_MASTER)),
        up=bool(flags & IFF_UP),
        loopback=bool(flags & IFF_LOOPBACK),
        peer=_number(attributes.get(IFLA_LINK)),
        peer_namespace=_signed(attributes.get(IFLA_LINK_NETNSID)),
    )


def _address(body: bytes) -> Address:
    _, prefix, _, _, link = struct.unpack_from("=BBBBI", body)
    attributes = parse_attributes(body[8:])
    return Address(link, socket.inet_ntop(body[0], attributes.get(IFA_LOCAL) or attributes[IFA_ADDRESS]), prefix)


def _route(body: bytes) -> Route:
    attributes = parse_attributes(body[12:])
    return Route(
        link=_number(attributes.get(RTA_OIF)),
        destination=_text(body[0], attributes.get(RTA_DST)),
        prefix=body[1],
        gateway=_text(body[0], attributes.get(RTA_GATEWAY)),
        family=body[0],
    )


def _number(value: bytes | None) -> int:
    return int(struct.unpack("=I", value)[0]) if value else 0


def _signed(value: bytes | None) -> int:
    return int(struct.unpack("=i", value)[0]) if value else HERE


def _packed(address: str) -> tuple[int, bytes]:
    """The family of an address, and its bytes."""
    family = family_of(address)
    return family, socket.inet_pton(family, address)


def _text(family: int, packed: bytes | None) -> str:
    return socket.inet_ntop(family, packed) if packed else ""
