"""Parents in the kernel, and the interfaces that containers get on top of them."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from orchestra.driver.local.net.failure import InterfaceGone
from orchestra.driver.local.net.mark import home_hash, mark_of, parse_mark
from orchestra.errors import FatalError
from orchestra.linux.network.netlink import set_alias, set_up
from orchestra.linux.network.sub_interface import (
    has_kind,
    new_dummy,
    new_ipvlan,
    new_macvlan,
    new_vlan,
    number_namespace,
)
from orchestra.model.network_driver import NetworkDriver

if TYPE_CHECKING:
    from orchestra.driver.local.net.attachment import Interface
    from orchestra.driver.local.net.ipam import Leases
    from orchestra.driver.local.net.parent import Parent
    from orchestra.home import Home
    from orchestra.linux.network.netlink import Link, Netlink
    from orchestra.linux.network.netlink_message import Request

TAGS = range(1, 4095)
"""The tags of VLANs; the first and the last number of twelve bits are reserved."""


def ensure_parent(connection: Netlink, network: str, parent: Parent, mark: str) -> None:
    """Make the parent if it is missing and can be made: a dummy, or a VLAN such as ``eth0.100``.

    mark: the alias of what is made. Raises FatalError if the kernel lacks something, or the parent cannot be made.
    """
    if not has_kind(connection, parent.driver):
        raise _lacking(network, parent.driver)
    if connection.link(parent.interface) is not None:
        return
    made = new_dummy(parent.interface) if parent.is_own else _vlan(connection, network, parent)
    try:
        connection.send(made, set_alias(parent.interface, mark), set_up(parent.interface))
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        raise _lacking(network, "dummy" if parent.is_own else "vlan") from None


def check_parent(network: str, parent: Parent, leases: Leases) -> None:
    """Raises FatalError if another network has the parent, and they cannot both have it."""
    for name, lease in leases.networks.items():
        other = lease.parent
        if name == network or other is None or other.interface != parent.interface:
            continue
        if other.driver is not parent.driver or parent.takes_one or other.takes_one:
            hint = "give one of them another parent, such as a VLAN: eth0.100"
            what = f"network {name} ({other.driver}, {other.mode}) has the parent {parent.interface}"
            raise FatalError(f"network {network}: {what} already", hint=hint)


def release(connection: Netlink, home: Home, network: str, parent: Parent, leases: Leases) -> None:
    """Remove the parent if it was made for the network. leases: those that stay; one of them may take it over."""
    found = connection.link(parent.interface)
    mark = parse_mark(found.alias) if found else None
    if mark is None or (mark.home, mark.network) != (home_hash(home), network):
        return
    for name, lease in leases.networks.items():
        if lease.parent and lease.parent.interface == parent.interface:
            connection.send(set_alias(parent.interface, mark_of(home, name).render()))
            return
    connection.remove_link(parent.interface)


def _vlan(connection: Netlink, network: str, parent: Parent) -> Request:
    """Only names of one dot are VLANs to be made, as in Docker. Raises FatalError for others."""
    base, _, tag = parent.interface.partition(".")
    below = connection.link(base)
    if not tag or below is None:
        hint = "write driver_opts: {parent: NAME} with an interface of this machine: ip link shows them"
        raise FatalError(f"network {network}: there is no interface {base} to be its parent", hint=hint)
    if not tag.isdecimal() or int(tag) not in TAGS:
        hint = f"write {base}.TAG, with a tag from {TAGS[0]} to {TAGS[-1]}"
        raise FatalError(f"network {network}: {tag} of its parent {parent.interface} is not a VLAN tag", hint=hint)
    return new_vlan(parent.interface, below=below.number, tag=int(tag))


def _lacking(network: str, kind: str) -> FatalError:
    module = "8021q" if kind == "vlan" else kind
    hints = {"dummy": "name the interface to join: driver_opts: {parent: NAME}", "vlan": "make the parent yourself"}
    hint = f"load the module {module}, or {hints.get(kind, 'use another driver')}"
    return FatalError(f"network {network}: this kernel has no interfaces of the kind {kind}", hint=hint)


def ensure_interface(
    connection: Netlink, own: Netlink, namespace_path: str, interface: Interface, parent: Parent
) -> Link:
    """The container's interface on the parent, made if it is missing; down then. own: in the namespace."""
    found = own.link(interface.device)
    if found is None:
        below = connection.link(parent.interface)
        if below is None:
            raise InterfaceGone(parent.interface)
        number_namespace(connection, namespace_path)
        descriptor = os.open(namespace_path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            connection.send(_new(interface, parent, below.number, descriptor))
        finally:
            os.close(descriptor)
        found = own.link(interface.device)
    if found is None:
        raise InterfaceGone(interface.device)
    return found


def _new(interface: Interface, parent: Parent, below: int, namespace: int) -> Request:
    name, mtu, mode = interface.device, parent.mtu, parent.mode
    if parent.driver is NetworkDriver.IPVLAN:
        return new_ipvlan(name, below=below, namespace=namespace, mtu=mtu, mode=mode, flag=parent.flag)
    address = bytes.fromhex(interface.mac_address.replace(":", ""))
    return new_macvlan(name, below=below, namespace=namespace, address=address, mtu=mtu, mode=mode)
