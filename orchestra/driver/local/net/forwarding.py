"""IPv4 forwarding on the host's own interfaces, turned on for as long as some bridge needs it.

The kernel forwards a packet when forwarding is on for the interface it came in by: our bridges have it from birth, and
answers come in by the *uplinks*, any other interface of the host. Which uplinks had it off before is recorded in the
marks of the bridges themselves: the record goes with the last bridge, of whichever home, and no file can be left stale.
Nothing changes where the host forwards already.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.driver.local.net import link
from orchestra.linux.network import netlink

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.home import Home
    from orchestra.linux.network.netlink import Netlink

NOT_UPLINKS = frozenset({"all", "default", "lo"})


def ensure_forwarding(connection: Netlink, home: Home) -> tuple[str, ...]:
    """Turn forwarding on for every uplink. Returns the uplinks that may now forward only to bridges.

    A later call also finds uplinks that have appeared since.
    """
    bridges = link.bridges(connection)
    recorded = {uplink for _, mark in bridges for uplink in mark.uplinks}
    silent = silent_uplinks(connection)
    uplinks = _that_fit(sorted(recorded | set(silent)))
    # Record first, then change: after a crash between the two, a restore merely has nothing to do.
    for bridge, mark in bridges:
        if mark.home == link.home_hash(home) and mark.uplinks != uplinks:
            connection.send(netlink.set_alias(bridge.name, mark._replace(uplinks=uplinks).render()))
    for name in silent:
        if name in uplinks:
            _set(name, 1)
    return () if _is_router() else uplinks


def silent_uplinks(connection: Netlink) -> list[str]:
    """The interfaces of the host that are up and forward nothing."""
    return [name for name in _candidates() if _is_silent_uplink(connection, name)]


def restore_forwarding(connection: Netlink, uplinks: Iterable[str]) -> None:
    """Turn forwarding off again for uplinks that no bridge needs any more. Call it after removing a bridge."""
    if _is_router():
        return
    for name in set(uplinks) - _needed(connection):
        _set(name, 0)
    # Between our look and our change, another home may have made a bridge and relied on what it saw.
    for name in set(uplinks) & _needed(connection):
        _set(name, 1)


def _needed(connection: Netlink) -> set[str]:
    return {uplink for _, mark in link.bridges(connection) for uplink in mark.uplinks}


def _is_router() -> bool:
    """Whether another program has turned forwarding on for all interfaces: then the setting belongs to it."""
    return bool(link.get_sysctl("all", "forwarding"))


def _candidates() -> list[str]:
    names = sorted(set(os.listdir(link.SYSCTL)) - NOT_UPLINKS)
    return [name for name in names if not name.startswith((link.BRIDGE_PREFIX, link.VETH_PREFIX))]


def _is_silent_uplink(connection: Netlink, name: str) -> bool:
    try:
        if link.get_sysctl(name, "forwarding"):
            return False
    except FileNotFoundError:
        return False
    found = connection.link(name)
    return found is not None and found.up and not found.master and link.parse_mark(found.alias) is None


def _set(name: str, value: int) -> None:
    try:
        link.set_sysctl(name, "forwarding", value)
    except FileNotFoundError:
        return  # the interface is gone, and its setting with it


def _that_fit(names: list[str]) -> tuple[str, ...]:
    """As many as fit into an alias beside the rest of a mark; the others are left unchanged."""
    room = netlink.ALIAS_MAX - 80
    fitting: list[str] = []
    for name in names:
        room -= len(name) + 1
        if room >= 0:
            fitting.append(name)
    return tuple(fitting)
