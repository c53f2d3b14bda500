"""The interface of the host that containers of a macvlan or ipvlan network stand on: their *parent*. Pure.

Such a network has no bridge. Nothing of it passes through the host's own network: so it has no rules, no gates and no
published ports, and the host does not reach the containers.
"""

from __future__ import annotations

from orchestra.model.network_driver import NetworkDriver  # noqa: TC001 - read at run time by the codec
from orchestra.record import Record


class Parent(Record):
    """interface: its name. mode, flag: of the containers' interfaces. mtu: of these, in bytes; 0 for the parent's.

    is_own: the file names none, so it is a dummy that leads nowhere.
    """

    driver: NetworkDriver
    interface: str
    mode: str
    flag: str = "bridge"
    mtu: int = 0
    is_own: bool = False

    @property
    def takes_one(self) -> bool:
        """Whether only one container can stand on it."""
        return self.mode == "passthru"

    @property
    def routes(self) -> bool:
        """Whether containers send everything to the parent, which routes it, and not to a gateway."""
        return self.mode in ("l3", "l3s")
