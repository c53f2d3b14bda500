"""Previews of ``stop``, ``start``, ``restart``, ``rm``, ``kill``, ``pause`` and ``unpause``. Nothing is changed.

Each function raises the errors that the command itself would raise before it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.plan.desire import restart, start, stop, without_containers
from orchestra.plan.selection import to_restart, to_start, with_containers
from orchestra.stacks.containers import look_at_containers
from orchestra.stacks.life_cycle import find_stack_to_change, signal_of
from orchestra.stacks.plan import plan_change
from orchestra.stacks.rm import find_removable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.model.desired import Desired
    from orchestra.stacks.context import Context
    from orchestra.stacks.life_cycle import KillOptions, RestartOptions, StartOptions, StopOptions
    from orchestra.stacks.plan import PlanResult
    from orchestra.stacks.rm import RemoveOptions


def plan_stop(context: Context, options: StopOptions) -> PlanResult:
    known, _ = find_stack_to_change(context, "stop", options.services)

    def change(current: Desired, now: float) -> Desired:
        return stop(current, with_containers(current, options.services), options.timeout, now)

    return plan_change(context, known.stack, change)


def plan_start(context: Context, options: StartOptions) -> PlanResult:
    known, _ = find_stack_to_change(context, "start", options.services)

    def change(current: Desired, now: float) -> Desired:
        return start(current, to_start(current, options.services), now)

    return plan_change(context, known.stack, change)


def plan_restart(context: Context, options: RestartOptions) -> PlanResult:
    known, _ = find_stack_to_change(context, "restart", options.services)

    def change(current: Desired, now: float) -> Desired:
        chosen = to_restart(current, options.services, alone=options.no_deps)
        return restart(current, chosen, options.timeout, now)

    return plan_change(context, known.stack, change)


def plan_rm(context: Context, options: RemoveOptions, *, stops: bool) -> PlanResult:
    """stops: running containers are stopped first, and removed too."""
    removable = find_removable(context, options)

    def change(current: Desired, now: float) -> Desired:
        chosen = [spec for spec in current.of_services if not options.services or spec.service in options.services]
        names = {spec.name for spec in chosen if stops or spec.name in removable.containers}
        return without_containers(current, names, {spec.service for spec in chosen if spec.name in names})

    return plan_change(context, removable.stack, change)


def plan_kill(context: Context, options: KillOptions) -> tuple[str, ...]:
    """The containers that would get the signal."""
    found = _in_states(context, "kill", options.services, ("running", "paused"))
    signal_of(options)
    return found


def plan_pause(context: Context, services: Sequence[str]) -> tuple[str, ...]:
    """The containers that would be paused."""
    return _in_states(context, "pause", services, ("running",))


def plan_unpause(context: Context, services: Sequence[str]) -> tuple[str, ...]:
    """The containers that would be resumed."""
    return _in_states(context, "unpause", services, ("paused",))


def _in_states(context: Context, command: str, services: Sequence[str], states: Sequence[str]) -> tuple[str, ...]:
    known, _ = find_stack_to_change(context, command, services)
    rows = look_at_containers(context, known.stack)
    return tuple(row.name for row in rows if row.state in states and (not services or row.service in services))
