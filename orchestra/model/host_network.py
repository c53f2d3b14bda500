"""Networks of a home as commands list them, whatever stack made them."""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.model.network_driver import NetworkDriver
from orchestra.record import Record


class Member(Record):
    """A container on a network. address, ipv6_address: with the length of the prefix; '' without that family."""

    name: str
    id: str
    mac_address: str
    address: str
    ipv6_address: str = ""


class Subnet(Record):
    """The addresses of a network, of one family."""

    subnet: str
    gateway: str
    ip_range: str = ""


class HostNetwork(Record):
    """id: 64 hexadecimal digits that stay as long as the name. bridge: its interface on the host, '' for
    another driver.

    subnets: of each family that the network has, IPv4 first. created_at: Unix time. members: the containers of all
    stacks, whether they run or not.
    """

    id: str
    name: str
    stack: str
    bridge: str
    subnets: tuple[Subnet, ...] = ()
    internal: bool = False
    labels: Mapping[str, str] = {}
    driver_options: Mapping[str, str] = {}
    created_at: float = 0.0
    members: tuple[Member, ...] = ()
    driver: NetworkDriver = NetworkDriver.BRIDGE

    def has_ip(self, version: int) -> bool:
        return any((":" in each.subnet) == (version == 6) for each in self.subnets)
