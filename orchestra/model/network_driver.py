"""The drivers of networks, and the words of their options, as in Docker."""

from __future__ import annotations

from enum import StrEnum


class NetworkDriver(StrEnum):
    """BRIDGE: the network is a bridge on this machine.

    MACVLAN, IPVLAN: containers are on the network of an interface of the machine, their *parent*, with hardware
    addresses of their own, or with the parent's.
    """

    BRIDGE = "bridge"
    MACVLAN = "macvlan"
    IPVLAN = "ipvlan"


PARENT = "parent"
MODES = {
    NetworkDriver.MACVLAN: ("bridge", "private", "vepa", "passthru"),
    NetworkDriver.IPVLAN: ("l2", "l3", "l3s"),
}
"""The modes of a driver, the default first."""
FLAG, FLAGS = "ipvlan_flag", ("bridge", "private", "vepa")


def mode_option(driver: NetworkDriver) -> str:
    """The driver option that sets the mode."""
    return f"{driver}_mode"


def words_of(driver: NetworkDriver) -> dict[str, tuple[str, ...]]:
    """The options of this driver that take one of a few words, the default first."""
    if driver is NetworkDriver.BRIDGE:
        return {}
    return {mode_option(driver): MODES[driver], **({FLAG: FLAGS} if driver is NetworkDriver.IPVLAN else {})}
