"""Waits until an ``up`` or a ``down`` is over, while the engine converges, and returns how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.engine.driver import Settles
from orchestra.plan.done import SETTLING, Standing, is_under_way, judge_down, judge_up

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.engine.loop import Engine
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed
    from orchestra.plan.plan import Plan
    from orchestra.plan.verdict import Failed


async def wait_until_up(
    engine: Engine, *, wait: bool = False, services: Collection[str] = (), since: float = 0.0
) -> tuple[Failed, ...]:
    """Wait until ``up`` is done. Returns an empty tuple if it has succeeded, else why it cannot succeed any more.

    If something fails, everything else that can be started still is, so that the outcome does not depend on which
    happens first. wait, services and since: as in ``plan.done.judge_up``.
    """
    failed_at: float | None = None
    sure = False
    while True:
        await engine.wait(lambda *_: True)
        if is_under_way(engine.desired, engine.spec, engine.plan, engine.in_flight(), services):
            failed_at, sure = None, False
            await engine.wait_for_plan(until=None)
            continue
        standing = standing_of_up(engine, wait=wait, services=services, since=since)
        now = engine.now()
        failed_at = (failed_at or now) if standing.failures and not standing.starting else None
        out_of_time = failed_at is not None and now >= failed_at + SETTLING
        may_fail_too = bool(standing.unproven) or (wait and bool(standing.failures))
        if not standing.starting and (out_of_time or not may_fail_too):
            if sure or not (wait or standing.failures):
                break
            await engine.look_afresh()  # the exit of a container may not have been noticed yet
            sure = True
            continue
        sure = False
        moments = [standing.look_at, None if failed_at is None else failed_at + SETTLING]
        await engine.wait_for_plan(until=min((at for at in moments if at is not None), default=None))
    return await _settled(engine, standing)


def standing_of_up(
    engine: Engine, *, wait: bool = False, services: Collection[str] = (), since: float = 0.0
) -> Standing:
    """The progress of an ``up``, by the last plan."""
    world = engine.desired, engine.observed, engine.plan, engine.in_flight()
    return judge_up(*world, engine.now(), wait=wait, services=services, since=since)


async def wait_until_down(engine: Engine, services: Collection[str] = ()) -> tuple[Failed, ...]:
    """Wait until all that can be removed is; return what cannot be. services: only their containers."""
    standing = Standing()

    def is_decided(desired: Desired, observed: Observed, plan: Plan) -> bool:
        nonlocal standing
        standing = judge_down(desired, observed, plan, engine.in_flight(begun=True), services)
        return not standing.starting

    await engine.wait(is_decided)
    return await _settled(engine, standing)


async def _settled(engine: Engine, standing: Standing) -> tuple[Failed, ...]:
    if not standing.failures and isinstance(engine.driver, Settles):
        await engine.driver.settle()
    return standing.failures
