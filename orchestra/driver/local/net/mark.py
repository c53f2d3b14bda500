"""Marks: the alias of every interface that we make names its owner, so that leftovers can be found."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from orchestra.home import Home

IPV6_UPLINK = "6:"
"""Begins an uplink in a mark that is one for IPv6; no interface's name has a colon."""


class Mark(NamedTuple):
    """The content of an interface's alias. home: a short hash of the home's path; the path itself is for people.

    uplinks, ipv6_uplinks: for a bridge, the interfaces whose forwarding was off before Orchestra turned it on.
    """

    home: str
    network: str
    path: str
    uplinks: tuple[str, ...] = ()
    ipv6_uplinks: tuple[str, ...] = ()

    def render(self) -> str:
        uplinks = (*self.uplinks, *(IPV6_UPLINK + name for name in self.ipv6_uplinks))
        return f"orchestra {self.home} {self.network} {','.join(uplinks) or '-'} {self.path}"


def parse_mark(alias: str) -> Mark | None:
    words = alias.split(" ", 4)
    if len(words) != 5 or words[0] != "orchestra":
        return None
    uplinks = words[3].split(",") if words[3] != "-" else []
    ipv4 = tuple(name for name in uplinks if not name.startswith(IPV6_UPLINK))
    ipv6 = tuple(name.removeprefix(IPV6_UPLINK) for name in uplinks if name.startswith(IPV6_UPLINK))
    return Mark(words[1], words[2], words[4], ipv4, ipv6)


def home_hash(home: Home) -> str:
    return hashlib.sha256(home.run.encode()).hexdigest()[:8]


def mark_of(home: Home, network: str) -> Mark:
    return Mark(home_hash(home), network, home.run)
