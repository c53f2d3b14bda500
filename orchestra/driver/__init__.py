"""The worlds that containers can live in. They do not know each other; each keeps the contract of ``engine.driver``.

``DRIVERS`` is the registry: the name that ``--driver`` takes, and what there is of the driver.
"""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.engine.driver import Driver
    from orchestra.home import Home


class Part(StrEnum):
    """What a driver may offer beyond the contract; in words, for who asks for it where it is missing."""

    FILES = "containers that can be observed without their supervisor"
    LOGS = "logs"
    EXEC = "containers that commands can be executed in"
    IMAGES = "images"
    COPY = "files of containers to copy"
    VOLUMES = "volumes"
    NETWORKS = "networks"
    PROCESSES = "processes that can be looked at"


class Entry(Record):
    """module: has ``open_driver(home, stack)``, which makes a driver for one stack.

    unsupported: a module whose ``UNSUPPORTED`` says which attributes of Compose have no effect; '' where all have one.
    """

    module: str
    unsupported: str = ""
    parts: frozenset[Part] = frozenset()
    needs_root: bool = False


DRIVERS = {
    "local": Entry(
        "orchestra.driver.local.driver", "orchestra.driver.local.unsupported", frozenset(Part), needs_root=True
    ),
    "fake": Entry("orchestra.driver.fake.open"),
}


def open_driver(name: str, home: Home, stack: str) -> Driver:
    opened: Driver = import_module(DRIVERS[name].module).open_driver(home, stack)
    return opened


def unsupported(name: str) -> Mapping[str, str]:
    """Shapes of paths, as in ``services.*.ports.[].mode``, to why they have no effect with this driver."""
    module = DRIVERS[name].unsupported
    found: Mapping[str, str] = import_module(module).UNSUPPORTED if module else {}
    return found
