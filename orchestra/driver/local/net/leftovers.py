"""What a crash has left on the host: interfaces, tables and namespaces of this home that belong to no living stack.

Found by looking at the kernel, since the records may have been lost.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import filter as rules
from orchestra.driver.local.net import lease_file, link, ruleset
from orchestra.driver.local.net.endpoint import pin_path, pinned_ids
from orchestra.driver.local.net.failure import kernel_errors
from orchestra.driver.local.net.forwarding import restore_forwarding
from orchestra.driver.local.net.mark import home_hash, parse_mark
from orchestra.driver.local.net.parent_link import release
from orchestra.driver.local.record import find_id, load_record, sound
from orchestra.linux.network.namespace import remove_shared_directory, unpin_namespace
from orchestra.linux.network.netlink import Netlink
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestra.driver.local.net.ipam import NetworkLease
    from orchestra.home import Home, StackHome


class Kind(StrEnum):
    """In the order in which to remove them."""

    NAMESPACE = "network namespace"
    INTERFACE = "interface"
    ON_PARENT = "network on a parent"
    BRIDGE = "bridge"
    TABLE = "nftables table"


class Leftover(NamedTuple):
    """name: a container's id for a namespace, a network's name for one on a parent, otherwise the kernel's name for it.

    stack: the former owner, which may be started again and use it; empty if unknown.
    """

    kind: Kind
    name: str
    stack: str = ""


def find_leftovers(home: Home, lives: Callable[[str], bool]) -> list[Leftover]:
    """What belongs to this home but to no living stack.

    Asks the kernel first and reads the files afterwards: by then they include whatever is being made meanwhile.
    """
    pins = pinned_ids(home)
    with kernel_errors("leftovers"), Netlink() as connection:
        links = connection.links()
    tables = rules.list_tables()
    leases = lease_file.load(home).networks
    living = {name for name in _list(home.stacks_run) if lives(name)}
    containers = {found for name in living for found in _containers(home.stack(name))}
    in_use = {name for name, lease in leases.items() if lease.stack in living or lease.containers & containers}
    bridges = {leases[name].bridge for name in in_use}
    needed = living | {leases[name].stack for name in in_use}
    found = [Leftover(Kind.NAMESPACE, name) for name in pins if name not in containers]
    for candidate in links:
        mark = parse_mark(candidate.alias)
        if mark is None or mark.home != home_hash(home):
            continue
        stack = leases[mark.network].stack if mark.network in leases else ""
        if candidate.kind == "bridge" and candidate.name not in bridges:
            found.append(Leftover(Kind.BRIDGE, candidate.name, stack))
        elif candidate.kind != "bridge" and mark.network not in in_use and not _has_parent(leases, mark.network):
            found.append(Leftover(Kind.INTERFACE, candidate.name, stack))
    for name, lease in leases.items():
        if lease.parent and name not in in_use:
            found.append(Leftover(Kind.ON_PARENT, name, lease.stack))
    for table in tables:
        owner = rules.stack_of_table(home, table)
        if owner is not None and owner not in needed:
            found.append(Leftover(Kind.TABLE, table, owner))
    return sorted(found, key=lambda item: (list(Kind).index(item.kind), item.name))


def _containers(stack: StackHome) -> Iterator[str]:
    """The ids of the containers of a stack, including those that are just being made."""
    for name in _list(stack.containers):
        directory = stack.container(name)
        if found := find_id(directory, sound(load_record, directory), sound(attachments.load, directory)):
            yield found


def remove_leftover(home: Home, leftover: Leftover) -> None:
    """Remove one of them, with its leases; does nothing if it is gone. Raises FatalError."""
    with kernel_errors(f"{leftover.kind} {leftover.name}"):
        match leftover.kind:
            case Kind.NAMESPACE:
                _remove_namespace(home, leftover.name)
            case Kind.INTERFACE:
                with Netlink() as connection:
                    connection.remove_link(leftover.name)
            case Kind.ON_PARENT:
                _remove_on_parent(home, leftover.name)
            case Kind.BRIDGE:
                _remove_bridge(home, leftover.name)
            case Kind.TABLE:
                rules.remove_table(leftover.name)
                if (stack := rules.stack_of_table(home, leftover.name)) is not None:
                    ruleset.forget(home, stack)


def _remove_namespace(home: Home, container_id: str) -> None:
    with lease_file.locked(home) as file:
        unpin_namespace(pin_path(home, container_id))
        remove_shared_directory(home.network_namespaces)
        file.leases = file.leases.without_containers({container_id})


def _has_parent(leases: Mapping[str, NetworkLease], network: str) -> bool:
    return network in leases and leases[network].parent is not None


def _remove_on_parent(home: Home, name: str) -> None:
    with lease_file.locked(home) as file, Netlink() as connection:
        lease = file.leases.networks.get(name)
        file.leases = file.leases.without_network(name)
        if lease is not None and lease.parent is not None:
            release(connection, home, name, lease.parent, file.leases)


def _remove_bridge(home: Home, name: str) -> None:
    with lease_file.locked(home) as file, Netlink() as connection:
        before = link.bridges(connection)
        connection.remove_link(name)
        restore_forwarding(connection, before)
        for network, lease in file.leases.networks.items():
            if lease.bridge == name:
                file.leases = file.leases.without_network(network)


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []
