"""Forwarding on the host's own interfaces, turned on for as long as some bridge needs it.

The kernel forwards a packet when forwarding is on for the interface it came in by: our bridges have it from birth, and
answers come in by the *uplinks*, any other interface of the host. Which uplinks had it off before is recorded in the
marks of the bridges themselves: the record goes with the last bridge, of whichever home, and no file can be left stale.
Nothing changes where the host forwards already.

Before Linux 6.17, IPv6 can be forwarded only from all interfaces. An interface that forwards takes no more router
advertisements unless its ``accept_ra`` is 2 (ip-sysctl): so uplinks that took them before go on doing so.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.driver.local.net import link
from orchestra.driver.local.net.mark import IPV6_UPLINK, home_hash, parse_mark
from orchestra.linux.network import netlink

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from orchestra.driver.local.net.mark import Mark
    from orchestra.home import Home
    from orchestra.linux.network.netlink import Link, Netlink

ALL = "all"
NOT_UPLINKS = frozenset({ALL, "default", "lo"})


def ensure_forwarding(connection: Netlink, home: Home) -> tuple[str, ...]:
    """Turn forwarding of IPv4 on for every uplink. Returns the uplinks that may now forward only to bridges.

    A later call also finds uplinks that have appeared since.
    """
    bridges = link.bridges(connection)
    recorded = {uplink for _, mark in bridges for uplink in mark.uplinks}
    silent = silent_uplinks(connection)
    beside = {IPV6_UPLINK + uplink for _, mark in bridges for uplink in mark.ipv6_uplinks}
    uplinks = _that_fit(sorted(recorded | set(silent)), beside)
    # Record first, then change: after a crash between the two, a restore merely has nothing to do.
    for bridge, mark in bridges:
        if mark.home == home_hash(home) and mark.uplinks != uplinks:
            connection.send(netlink.set_alias(bridge.name, mark._replace(uplinks=uplinks).render()))
    for name in silent:
        if name in uplinks:
            _set(f"{link.SYSCTL}/{name}/forwarding", 1)
    return () if _is_router() else uplinks


def ensure_ipv6_forwarding(connection: Netlink, home: Home, bridges: Collection[str]) -> None:
    """The same for IPv6. Call it when the rules already hold the walls. bridges: the names of those that need it."""
    marked = link.bridges(connection)
    lacking = ipv6_uplinks_to_change(connection)
    recorded = {uplink for _, mark in marked for uplink in mark.ipv6_uplinks}
    beside = {uplink for _, mark in marked for uplink in mark.uplinks}
    found = sorted(recorded | set(lacking), key=lambda name: (name != ALL, name))
    uplinks = _that_fit(found, beside, IPV6_UPLINK)
    for bridge, mark in marked:
        if mark.home == home_hash(home) and bridge.name in bridges and mark.ipv6_uplinks != uplinks:
            connection.send(netlink.set_alias(bridge.name, mark._replace(ipv6_uplinks=uplinks).render()))
    for name in lacking:
        if name in uplinks:
            path, _, on = _ipv6_setting(name)
            _set(path, on)


def silent_uplinks(connection: Netlink) -> list[str]:
    """The interfaces of the host that are up and forward no IPv4."""
    off = (name for name in _candidates(link.SYSCTL) if not link.read_setting(f"{link.SYSCTL}/{name}/forwarding"))
    return [name for name in off if _is_uplink(connection, name)]


def silent_ipv6_uplinks(connection: Netlink) -> list[str]:
    """The interfaces of the host that forward IPv6 only for containers, now or once that is turned on."""
    recorded = _recorded_ipv6(connection)
    if _is_ipv6_router(recorded):
        return []
    names = [name for name in _candidates(link.SYSCTL_IPV6) if _is_uplink(connection, name)]
    if not _forwards_by_interface():
        return names
    return [name for name in names if name in recorded or not link.read_setting(_ipv6_setting(name)[0])]


def ipv6_uplinks_to_change(connection: Netlink) -> list[str]:
    """Those that keep IPv6 from being forwarded, or that would lose their routers by it; ``all`` comes last."""
    if _is_ipv6_router(_recorded_ipv6(connection)):
        return []
    names = [name for name in _candidates(link.SYSCTL_IPV6) if _is_uplink(connection, name)]
    if not _forwards_by_interface():
        names.append(ALL)
    settings = ((name, _ipv6_setting(name)) for name in names)
    return [name for name, (path, off, _) in settings if link.read_setting(path) == off]


def restore_forwarding(connection: Netlink, before: Iterable[tuple[Link, Mark]]) -> None:
    """Turn forwarding off again where no bridge needs it any more. before: the bridges, before one was removed."""
    marks = [mark for _, mark in before]
    uplinks = {uplink for mark in marks for uplink in mark.uplinks}
    if not _is_router():
        for name in uplinks - _needed(connection):
            _set(f"{link.SYSCTL}/{name}/forwarding", 0)
        # Between our look and our change, another home may have made a bridge and relied on what it saw.
        for name in uplinks & _needed(connection):
            _set(f"{link.SYSCTL}/{name}/forwarding", 1)
    ipv6 = sorted({uplink for mark in marks for uplink in mark.ipv6_uplinks}, key=lambda name: name != ALL)
    for needed in (False, True):
        for name in ipv6:
            if (name in _recorded_ipv6(connection)) is needed:
                path, off, on = _ipv6_setting(name)
                _set(path, on if needed else off)


def _needed(connection: Netlink) -> set[str]:
    return {uplink for _, mark in link.bridges(connection) for uplink in mark.uplinks}


def _recorded_ipv6(connection: Netlink) -> set[str]:
    return {uplink for _, mark in link.bridges(connection) for uplink in mark.ipv6_uplinks}


def _is_router() -> bool:
    """Whether another program has turned forwarding on for all interfaces: then the setting belongs to it."""
    return bool(link.get_sysctl(ALL, "forwarding"))


def _is_ipv6_router(recorded: Collection[str]) -> bool:
    """The same for IPv6, which Orchestra itself may have turned on."""
    return ALL not in recorded and bool(link.read_setting(f"{link.SYSCTL_IPV6}/{ALL}/forwarding"))


def _forwards_by_interface() -> bool:
    """Whether the kernel can forward IPv6 from some interfaces only."""
    return os.path.exists(f"{link.SYSCTL_IPV6}/{ALL}/{link.FORCE_FORWARDING}")


def _ipv6_setting(name: str) -> tuple[str, int, int]:
    """The file that decides about an uplink, and its content without and with forwarding."""
    if name == ALL:
        return f"{link.SYSCTL_IPV6}/{ALL}/forwarding", 0, 1
    if _forwards_by_interface():
        return f"{link.SYSCTL_IPV6}/{name}/{link.FORCE_FORWARDING}", 0, 1
    return f"{link.SYSCTL_IPV6}/{name}/accept_ra", 1, 2


def _candidates(settings: str) -> list[str]:
    names = sorted(set(os.listdir(settings)) - NOT_UPLINKS)
    return [name for name in names if not name.startswith((link.BRIDGE_PREFIX, link.VETH_PREFIX))]


def _is_uplink(connection: Netlink, name: str) -> bool:
    found = connection.link(name)
    return found is not None and found.up and not found.master and parse_mark(found.alias) is None


def _set(path: str, value: int) -> None:
    try:
        link.write_setting(path, value)
    except FileNotFoundError:
        return  # the interface is gone, and its setting with it


def _that_fit(names: list[str], beside: Collection[str], prefix: str = "") -> tuple[str, ...]:
    """As many as fit into an alias beside these words and the rest of a mark; the others are left unchanged.

    prefix: what each name has there.
    """
    room = netlink.ALIAS_MAX - 80 - sum(len(word) + 1 for word in beside)
    fitting: list[str] = []
    for name in names:
        room -= len(prefix + name) + 1
        if room >= 0:
            fitting.append(name)
    return tuple(fitting)
