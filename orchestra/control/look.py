"""Looking at a stack that no supervisor looks after."""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING

import anyio

from orchestra.control.desired_file import load_desired
from orchestra.driver import DRIVERS
from orchestra.engine.foresight import with_foreseen_failures
from orchestra.errors import FatalError
from orchestra.plan.replacement import Outlook
from orchestra.plan.wish import desire

if TYPE_CHECKING:
    from orchestra.engine.driver import Driver
    from orchestra.home import Home
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed
    from orchestra.plan.wish import Wish


def look(home: Home, stack: str, driver: str, new: Desired, wish: Wish) -> tuple[Outlook, list[str]]:
    """Changes nothing. Second, as of ``supervisor.commands``, what is wrong with the file of what is desired now.

    FatalError when that is damaged and the wish is for some services only.
    """
    current, damage = None, []
    try:
        current = load_desired(home.stack(stack))
    except FatalError as error:
        if wish.services:
            raise
        damage = [error.message]
    desired = desire(current, new, wish, time.time())
    observed = anyio.run(_observe, import_module(DRIVERS[driver]).open_driver(home, stack), desired)
    return Outlook(current, desired, observed), damage


async def _observe(driver: Driver, desired: Desired) -> Observed:
    return await with_foreseen_failures(driver, desired, await driver.observe(desired), desired.request.at)
