"""Looking at a stack that has no supervisor."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from orchestra.control.desired_file import load_desired
from orchestra.driver import open_driver
from orchestra.engine.foresight import with_foreseen_failures
from orchestra.errors import FatalError
from orchestra.model.desired import Desired
from orchestra.model.names import StackName
from orchestra.model.observation import ForeseeResult, ObserveResult
from orchestra.plan.desire import desire

if TYPE_CHECKING:
    from orchestra.engine.driver import Driver
    from orchestra.home import Home
    from orchestra.model.observed import Observed
    from orchestra.model.request import Changes


def look(home: Home, stack: str, driver: str, new: Desired, changes: Changes) -> ForeseeResult:
    """Changes nothing.

    Raises FatalError if the file of the desired state is damaged and ``changes`` concern only some services.
    """
    current, damage = None, []
    try:
        current = load_desired(home.stack(stack))
    except FatalError as error:
        if changes.services:
            raise
        damage = [error.message]
    desired = desire(current, new, changes, time.time())
    observed = anyio.run(_observe, open_driver(driver, home, stack), desired)
    return ForeseeResult(observed, desired, current, tuple(damage))


def look_as_it_is(home: Home, stack: str, driver: str) -> ObserveResult:
    """Changes nothing. Raises FatalError if the file of the desired state is damaged."""
    desired = load_desired(home.stack(stack)) or Desired(StackName(stack))
    return ObserveResult(anyio.run(open_driver(driver, home, stack).observe, desired), desired)


async def _observe(driver: Driver, desired: Desired) -> Observed:
    return await with_foreseen_failures(driver, desired, await driver.observe(desired), desired.request.at)
