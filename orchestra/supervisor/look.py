"""Looking at a stack that no supervisor looks after."""

from __future__ import annotations

import time
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

import anyio

from orchestra.driver import DRIVERS
from orchestra.plan.selection import merge_desired
from orchestra.state.desired import Request
from orchestra.supervisor.desired_file import load_desired

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.home import Home
    from orchestra.state.desired import Desired
    from orchestra.state.observed import Observed


def look(home: Home, stack: str, driver: str, new: Desired, services: Collection[str]) -> tuple[Desired, Observed]:
    """What would be desired if ``new`` were asked for now, and the world it would meet. Changes nothing."""
    asked = replace(new, request=Request(at=time.time()))
    desired = merge_desired(load_desired(home.stack(stack)), asked, services)
    observed: Observed = anyio.run(import_module(DRIVERS[driver]).open_driver(home, stack).observe, desired)
    return desired, observed
