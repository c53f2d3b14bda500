"""Changes of interfaces, addresses, routes, packet filters and forwarding, as the kernel reports them (rtnetlink(7)).

One socket hears of this network namespace and of every other that has a number here, such as those at the far end of
a veth pair (netlink(7), NETLINK_LISTEN_ALL_NSID). That needs CAP_NET_BROADCAST in both.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import socket
import struct

from orchestra.linux.network.netlink import (
    HERE,
    IFF_UP,
    IFLA_IFNAME,
    NETLINK_ROUTE,
    RTM_DELLINK,
    RTM_NEWLINK,
    Netlink,
)
from orchestra.linux.network.netlink_message import (
    SOL_NETLINK,
    Message,
    parse_attributes,
    parse_messages,
    parse_text,
)
from orchestra.named_tuple import NamedTuple

NETLINK_ADD_MEMBERSHIP, NETLINK_LISTEN_ALL_NSID = 1, 8
RTNLGRP_LINK, RTNLGRP_TC, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF = 1, 4, 24, 25
RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE = 5, 7, 9, 11
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS = (
    RTNLGRP_LINK,
    RTNLGRP_TC,
    RTNLGRP_IPV4_NETCONF,
    RTNLGRP_IPV6_NETCONF,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV6_ROUTE,
)
RTM_DELADDR, RTM_DELROUTE, RTM_DELQDISC, RTM_DELTFILTER, RTM_NEWNETCONF = 21, 25, 37, 45, 80
LOSSES = frozenset({RTM_DELADDR, RTM_DELROUTE, RTM_DELQDISC, RTM_DELTFILTER})
HEARD = sorted({RTM_NEWLINK, RTM_DELLINK, RTM_NEWNETCONF, *LOSSES})
SO_ATTACH_FILTER = 26
BPF_LOAD_HALF, BPF_JUMP_EQUAL, BPF_RETURN = 0x28, 0x15, 0x06  # linux/bpf_common.h
NETCONFA_IFINDEX, NETCONFA_FORWARDING, NETCONFA_IFINDEX_ALL = 1, 2, -1
EVERYTHING = 0xFFFFFFFF
"""The changed flags of an interface that is new."""
RECEIVED = 1 << 15
BUFFER = 1 << 20
"""Bytes of messages that may wait: starting many containers at once makes some thousands."""


class News(NamedTuple):
    """namespaces: the numbers of those in which something was removed or changed; None if the kernel dropped messages.

    appeared: names of the interfaces here that were made or changed.
    """

    namespaces: frozenset[int] | None
    appeared: frozenset[str]


class RouteWatch:
    """A socket that becomes readable with every change. Raises OSError.

    hears_others: whether it may hear of other namespaces than this one.
    """

    hears_others = False

    def __init__(self) -> None:
        flags = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, flags, NETLINK_ROUTE)
        self._links: set[int] = set()
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            self._socket.bind((0, 0))
            with contextlib.suppress(PermissionError):
                self._socket.setsockopt(SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1)
                self.hears_others = True
            self._hear_only(HEARD)
            for group in GROUPS:
                self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
            with Netlink() as connection:
                self._links = {link.number for link in connection.links()}
        except BaseException:
            self._socket.close()
            raise

    def _hear_only(self, types: Sequence[int]) -> None:
        """Have the kernel drop all other messages: of a container that starts, every second one."""
        # The type of a message is its third halfword. A filter reads in the order of the network.
        load = struct.pack("=HBBI", BPF_LOAD_HALF, 0, 0, 4)
        jumps = [
            struct.pack("=HBBI", BPF_JUMP_EQUAL, left, 0, socket.htons(kind))
            for left, kind in zip(range(len(types), 0, -1), types, strict=True)
        ]
        ends = [struct.pack("=HBBI", BPF_RETURN, 0, 0, length) for length in (0, RECEIVED)]
        program = ctypes.create_string_buffer(b"".join([load, *jumps, *ends]))
        described = struct.pack("HP", len(types) + 3, ctypes.addressof(program))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, described)

    def __enter__(self) -> RouteWatch:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> News:
        """Everything that has happened since the last call; never waits."""
        touched: set[int] | None = set()
        appeared: set[str] = set()
        while True:
            try:
                datagram, ancillary, _, _ = self._socket.recvmsg(RECEIVED, socket.CMSG_SPACE(4))
            except BlockingIOError:
                return News(None if touched is None else frozenset(touched), frozenset(appeared))
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                touched = None
                continue
            namespace = _namespace(ancillary)
            for message in parse_messages(datagram):
                if self._is_loss(namespace, message) and touched is not None:
                    touched.add(namespace)
                if (message.type, namespace) == (RTM_NEWLINK, HERE):
                    appeared.add(parse_text(parse_attributes(message.body[16:]).get(IFLA_IFNAME)))

    def _is_loss(self, namespace: int, message: Message) -> bool:
        if message.type in (RTM_NEWLINK, RTM_DELLINK):
            family, number, flags, changed = struct.unpack_from("=BxxxiII", message.body)
            if namespace == HERE and family == socket.AF_UNSPEC:
                (self._links.add if message.type == RTM_NEWLINK else self._links.discard)(number)
            was_turned_off = bool(changed & ~flags & IFF_UP) and changed != EVERYTHING
            return message.type == RTM_DELLINK or was_turned_off
        if message.type == RTM_NEWNETCONF:
            # A new interface tells its settings before its name.
            values = parse_attributes(message.body[4:])
            number = _signed(values.get(NETCONFA_IFINDEX))
            is_known = number in self._links or number == NETCONFA_IFINDEX_ALL
            return namespace == HERE and is_known and not _signed(values.get(NETCONFA_FORWARDING))
        return message.type in LOSSES


def _namespace(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_NETLINK, NETLINK_LISTEN_ALL_NSID):
            return int(struct.unpack("=i", data)[0])
    return HERE


def _signed(value: bytes | None) -> int:
    return int(struct.unpack("=i", value)[0]) if value else 0
