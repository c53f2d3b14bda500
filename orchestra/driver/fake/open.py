"""A fake world for a real supervisor: every image can be pulled, every program runs until it is stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestra.driver.fake.driver import FakeDriver
from orchestra.driver.fake.world import World
from orchestra.model.names import StackName

if TYPE_CHECKING:
    from orchestra.home import Home


def open_driver(home: Home, stack: str) -> FakeDriver:
    return FakeDriver(World(StackName(stack), time.time))
