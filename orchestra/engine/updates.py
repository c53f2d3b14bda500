"""Writes down how updates end: a way back is given up after a success, and taken or barred after a failure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from orchestra.plan.update_end import after_updates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestra.engine.loop import Engine
    from orchestra.model.desired import Desired
    from orchestra.plan.rolling import FailedUpdate


async def follow_updates(
    engine: Engine, want: Callable[[Callable[[Desired], Desired], tuple[FailedUpdate, ...]], Awaitable[None]]
) -> None:
    """Never returns. want: applies a change to the latest desired state, keeps the result and gives it to the engine.

    Its second argument are the updates that have failed.
    """
    while True:
        await engine.wait(lambda _desired, _observed, plan: bool(plan.updated or plan.failing))
        planned, observed, plan, at = engine.asked, engine.observed, engine.plan, engine.now()
        await want(partial(after_updates, planned=planned, observed=observed, plan=plan, at=at), plan.failing)
