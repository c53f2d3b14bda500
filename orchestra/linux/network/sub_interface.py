"""Interfaces on top of another one: macvlan, ipvlan and VLAN; and dummies, which may stand below (linux/if_link.h).

The kernel loads its module for a kind when one is asked for.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING

from orchestra.linux.network.netlink import (
    IFLA_ADDRESS,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINK,
    IFLA_LINKINFO,
    IFLA_MTU,
    IFLA_NET_NS_FD,
    NETNSA_FD,
    NETNSA_NSID,
    RTM_NEWLINK,
)
from orchestra.linux.network.netlink_message import NLM_F_CREATE, NLM_F_EXCL, Request, attribute, nested, text

if TYPE_CHECKING:
    from orchestra.linux.network.netlink import Netlink

RTM_NEWNSID = 88
IFLA_MACVLAN_MODE = 1
IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS = 1, 2
IFLA_VLAN_ID = 1

MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAGS = {"bridge": 0, "private": 1, "vepa": 2}


def new_macvlan(name: str, *, below: int, namespace: int, address: bytes, mtu: int, mode: str) -> Request:
    """An interface in ``namespace`` (a descriptor) on top of the one with the number ``below`` here; down.

    mtu 0: that of the interface below.
    """
    body = text(IFLA_IFNAME, name) + attribute(IFLA_ADDRESS, address) + _there(below, namespace, mtu)
    data = attribute(IFLA_MACVLAN_MODE, struct.pack("=I", MACVLAN_MODES[mode]))
    return _new("macvlan", name, body, data)


def new_ipvlan(name: str, *, below: int, namespace: int, mtu: int, mode: str, flag: str) -> Request:
    """The same with the hardware address of the interface below."""
    data = attribute(IFLA_IPVLAN_MODE, struct.pack("=H", IPVLAN_MODES[mode]))
    data += attribute(IFLA_IPVLAN_FLAGS, struct.pack("=H", IPVLAN_FLAGS[flag]))
    return _new("ipvlan", name, text(IFLA_IFNAME, name) + _there(below, namespace, mtu), data)


def new_vlan(name: str, *, below: int, tag: int) -> Request:
    """What the interface with the number ``below`` receives and sends with a VLAN tag, from 1 to 4094 (IEEE 802.1Q)."""
    body = text(IFLA_IFNAME, name) + attribute(IFLA_LINK, struct.pack("=I", below))
    return _new("vlan", name, body, attribute(IFLA_VLAN_ID, struct.pack("=H", tag)))


def new_dummy(name: str) -> Request:
    """An interface that loses whatever it sends."""
    return _new("dummy", name, text(IFLA_IFNAME, name), b"")


def has_kind(connection: Netlink, kind: str) -> bool:
    """Whether the kernel has interfaces of a kind that stands on top of another. Makes none. Raises OSError."""
    try:
        connection.send(_new(kind, "", b"", b""))
    except OSError as error:
        # Without an interface below, a kind that exists says EINVAL.
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
        return error.errno == errno.EINVAL
    return True


def number_namespace(connection: Netlink, path: str) -> None:
    """Have the kernel number the pinned namespace: without a number, it does not tell this namespace of changes there.

    It does so by itself for those that a veth pair leads to.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        body = struct.pack("=xxxx") + attribute(NETNSA_NSID, struct.pack("=i", -1))
        body += attribute(NETNSA_FD, struct.pack("=I", descriptor))
        connection.send(Request("new nsid", path, RTM_NEWNSID, 0, body))
    except FileExistsError:
        return
    finally:
        os.close(descriptor)


def _there(below: int, namespace: int, mtu: int) -> bytes:
    body = attribute(IFLA_LINK, struct.pack("=I", below)) + attribute(IFLA_NET_NS_FD, struct.pack("=I", namespace))
    return body + (attribute(IFLA_MTU, struct.pack("=I", mtu)) if mtu else b"")


def _new(kind: str, name: str, attributes: bytes, data: bytes) -> Request:
    info = text(IFLA_INFO_KIND, kind) + (nested(IFLA_INFO_DATA, data) if data else b"")
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attributes + nested(IFLA_LINKINFO, info)
    return Request(f"new {kind}", name, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)
