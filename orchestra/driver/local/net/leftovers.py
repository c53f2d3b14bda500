"""What a crash has left on the host: interfaces, tables and namespaces of this home that no living stack accounts for.

Found by looking at the kernel, since the books may be what was lost.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import filter as rules
from orchestra.driver.local.net import lease_file, link, ruleset
from orchestra.driver.local.net.endpoint import pin_path, pinned_ids
from orchestra.driver.local.net.failure import kernel_errors
from orchestra.driver.local.net.forwarding import restore_forwarding
from orchestra.linux.netlink import Netlink
from orchestra.linux.network_namespace import remove_shared_directory, unpin_namespace

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.home import Home


class Kind(StrEnum):
    """In the order in which they are best removed."""

    NAMESPACE = "network namespace"
    INTERFACE = "interface"
    BRIDGE = "bridge"
    TABLE = "nftables table"


class Leftover(NamedTuple):
    """name: a container's id for a namespace, else the name that the kernel knows it by."""

    kind: Kind
    name: str


def find_leftovers(home: Home, living: Collection[str] | None = None) -> list[Leftover]:
    """What belongs to this home, but to no stack of ``living``: by default, the stacks that have a run directory."""
    stacks = set(_list(home.stacks_run) if living is None else living)
    entries = [entry.attachment for stack in stacks for entry in attachments.load_all(home.stack(stack))]
    containers = {entry.container_id for entry in entries}
    leases = lease_file.load(home)
    bridges = {lease.bridge for lease in leases.networks.values() if lease.stack in stacks}
    found = [Leftover(Kind.NAMESPACE, name) for name in pinned_ids(home) if name not in containers]
    with kernel_errors("leftovers"), Netlink() as connection:
        links = connection.links()
    living_numbers = {found.number for found in links if found.name in bridges}
    for candidate in links:
        mark = link.parse_mark(candidate.alias)
        if mark is None or mark.home != link.home_hash(home):
            continue
        if candidate.kind == "bridge" and candidate.name not in bridges:
            found.append(Leftover(Kind.BRIDGE, candidate.name))
        elif candidate.kind != "bridge" and candidate.master not in living_numbers:
            found.append(Leftover(Kind.INTERFACE, candidate.name))
    for table in rules.list_tables():
        stack = rules.stack_of_table(home, table)
        if stack is not None and stack not in stacks:
            found.append(Leftover(Kind.TABLE, table))
    return sorted(found, key=lambda item: (list(Kind).index(item.kind), item.name))


def remove_leftover(home: Home, leftover: Leftover) -> None:
    """Remove one of them, with its leases; nothing happens when it is gone. Raises FatalError."""
    with kernel_errors(f"{leftover.kind} {leftover.name}"):
        match leftover.kind:
            case Kind.NAMESPACE:
                _remove_namespace(home, leftover.name)
            case Kind.INTERFACE:
                with Netlink() as connection:
                    connection.remove_link(leftover.name)
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


def _remove_bridge(home: Home, name: str) -> None:
    with lease_file.locked(home) as file, Netlink() as connection:
        uplinks = {uplink for _, mark in link.bridges(connection) for uplink in mark.uplinks}
        connection.remove_link(name)
        restore_forwarding(connection, uplinks)
        for network, lease in file.leases.networks.items():
            if lease.bridge == name:
                file.leases = file.leases.without_network(network)


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []
