"""Networks of a home as commands list them, whatever stack made them."""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.record import Record


class Member(Record):
    """A container on a network. address: IPv4, with the length of the prefix."""

    name: str
    id: str
    mac_address: str
    address: str


class HostNetwork(Record):
    """id: 64 hexadecimal digits that stay as long as the name. bridge: its interface on the host.

    created_at: Unix time. members: the containers of all stacks, whether they run or not.
    """

    id: str
    name: str
    stack: str
    bridge: str
    subnet: str
    gateway: str
    ip_range: str = ""
    internal: bool = False
    labels: Mapping[str, str] = {}
    driver_options: Mapping[str, str] = {}
    created_at: float = 0.0
    members: tuple[Member, ...] = ()
