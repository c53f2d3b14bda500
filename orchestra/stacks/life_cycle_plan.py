"""Previews of ``stop``, ``start``, ``restart`` and ``rm``. Nothing is changed.

Each function raises the errors that the command itself would raise before it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.plan.desire import restart, start, stop, without_containers
from orchestra.plan.selection import with_dependencies, with_dependents
from orchestra.stacks.life_cycle import find_stack_to_change, nothing_to_start
from orchestra.stacks.plan import plan_change
from orchestra.stacks.rm import find_removable

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.model.desired import Desired
    from orchestra.model.names import ServiceName
    from orchestra.stacks.context import Context
    from orchestra.stacks.life_cycle import RestartOptions, StartOptions, StopOptions
    from orchestra.stacks.plan import PlanResult
    from orchestra.stacks.rm import RemoveOptions


def plan_stop(context: Context, options: StopOptions) -> PlanResult:
    known, _ = find_stack_to_change(context, "stop", options.services)

    def change(current: Desired, now: float) -> Desired:
        return stop(current, _chosen(current, options.services), options.timeout, now)

    return plan_change(context, known.stack, change)


def plan_start(context: Context, options: StartOptions) -> PlanResult:
    known, _ = find_stack_to_change(context, "start", options.services)

    def change(current: Desired, now: float) -> Desired:
        chosen = _chosen(current, options.services)
        if missing := [name for name in options.services if name not in chosen]:
            raise nothing_to_start(f'service "{missing[0]}"')
        if not chosen:
            raise nothing_to_start(f'stack "{known.stack}"')
        return start(current, _chosen(current, with_dependencies(current, chosen)), now)

    return plan_change(context, known.stack, change)


def plan_restart(context: Context, options: RestartOptions) -> PlanResult:
    known, _ = find_stack_to_change(context, "restart", options.services)

    def change(current: Desired, now: float) -> Desired:
        chosen: Collection[str] = _chosen(current, options.services)
        if not options.no_deps:
            chosen = with_dependents(current, chosen, restarted=True)
        return restart(current, _chosen(current, chosen) if chosen else [], options.timeout, now)

    return plan_change(context, known.stack, change)


def plan_rm(context: Context, options: RemoveOptions, *, stops: bool) -> PlanResult:
    """stops: running containers are stopped first, and removed too."""
    removable = find_removable(context, options)

    def change(current: Desired, now: float) -> Desired:
        chosen = [spec for spec in current.containers if not options.services or spec.service in options.services]
        names = {spec.name for spec in chosen if stops or spec.name in removable.containers}
        return without_containers(current, names, {spec.service for spec in chosen if spec.name in names})

    return plan_change(context, removable.stack, change)


def _chosen(current: Desired, services: Collection[str]) -> list[ServiceName]:
    """Those of these services, or of all, that should have containers."""
    return sorted({spec.service for spec in current.containers if not services or spec.service in services})
