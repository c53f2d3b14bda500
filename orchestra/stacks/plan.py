"""``plan``: what ``up`` would do, and why."""

from __future__ import annotations

import json
import time

from orchestra.model.codec import decode
from orchestra.model.desired import Desired
from orchestra.model.names import ServiceName
from orchestra.model.observation import ForeseeResult, ObserveResult
from orchestra.model.observed import Observed
from orchestra.model.project import Chosen
from orchestra.model.request import Changes, ForeseeRequest, ObserveRequest
from orchestra.plan import replacement
from orchestra.plan.desire import desire
from orchestra.plan.going_down import asked_by, go_down
from orchestra.plan.links import Step, steps_of
from orchestra.plan.preview import Preview, preview
from orchestra.plan.preview import render_data as preview_data
from orchestra.plan.preview import render_text as preview_text
from orchestra.plan.selection import with_dependents
from orchestra.plan.volumes import changed_volumes
from orchestra.record import Record
from orchestra.stacks.containers import check_known
from orchestra.stacks.down import request_of
from orchestra.stacks.stack_file import StackFile, concern, has_provisions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.stacks.containers import Known
    from orchestra.stacks.context import Context
    from orchestra.stacks.down import DownOptions
    from orchestra.stacks.stack_file import Prepared


__all__ = [
    "PlanOptions",
    "PlanResult",
    "Step",
    "load_for_plan",
    "plan",
    "plan_change",
    "plan_changes",
    "plan_down",
    "render_data",
    "render_text",
    "steps",
]


class PlanOptions(Record):
    """offline: plan as if nothing existed."""

    chosen: Chosen = Chosen()
    changes: Changes = Changes()
    offline: bool = False


class PlanResult(Record):
    """replaced: recreated resources, with their changes; orphaned: containers of no service, which are kept.

    outlook: what the preview begins with. kept: volumes whose definition changed, which has no effect.
    """

    preview: Preview
    outlook: ForeseeResult
    replaced: list[replacement.Replacement]
    orphaned: tuple[str, ...]
    damage: tuple[str, ...]
    kept: tuple[str, ...] = ()


def load_for_plan(context: Context, options: PlanOptions) -> Prepared:
    """Raises the errors of a load, and EnvironmentLack if this user may not see everything."""
    if not options.offline:
        context.need_privileges()
    prepared = StackFile(context).prepare(options.chosen)
    if has_provisions(prepared):
        from orchestra.stacks.provided import with_known_variables

        return with_known_variables(context, prepared)
    return prepared


def plan(context: Context, prepared: Prepared, options: PlanOptions) -> PlanResult:
    """Changes nothing."""
    return plan_changes(context, prepared, concern(options.changes, options.chosen, prepared), offline=options.offline)


def plan_changes(context: Context, prepared: Prepared, changes: Changes, *, offline: bool = False) -> PlanResult:
    """What ``up`` with exactly these changes would do. Changes nothing. offline: as in ``PlanOptions``."""
    now = time.time()
    outlook = _foresee(context, prepared, changes, now, offline=offline)
    result = preview(outlook.desired, outlook.observed, now)
    replaced = replacement.replacements(result, outlook)
    kept = changed_volumes(outlook.desired, outlook.observed)
    return PlanResult(result, outlook, replaced, replacement.left_alone(outlook), outlook.damage, kept)


def _foresee(context: Context, prepared: Prepared, changes: Changes, now: float, *, offline: bool) -> ForeseeResult:
    """Ask the supervisor, or a driver in this process if there is none."""
    if offline:
        asked = decode(Desired, json.loads(prepared.desired))
        return ForeseeResult(Observed(asked.stack), desire(None, asked, changes, now))
    stack = prepared.identity.stack
    seen = context.client(stack).ask_if_running(ForeseeResult, ForeseeRequest(changes), desired=prepared.desired)
    if seen is not None:
        return seen
    from orchestra.control.look import look

    return look(context.home, stack, context.driver, decode(Desired, json.loads(prepared.desired)), changes)


def plan_down(context: Context, known: Known, options: DownOptions) -> PlanResult:
    """What ``down`` would do. Changes nothing. Raises UserError for an undeclared service."""
    request = request_of(known, options)

    def change(current: Desired, now: float) -> Desired:
        declared = current.services if known.services is None else tuple(map(ServiceName, known.services))
        check_known(request.selected, declared, ())
        return go_down(current, declared, with_dependents(current, request.selected), asked_by(request, now))

    return plan_change(context, known.stack, change)


def plan_change(context: Context, stack: str, change: Callable[[Desired, float], Desired]) -> PlanResult:
    """What a change of the desired state at a moment (Unix seconds) would cause. Changes nothing."""
    now = time.time()
    seen = context.client(stack).ask_if_running(ObserveResult, ObserveRequest())
    if seen is None:
        from orchestra.control.look import look_as_it_is

        seen = look_as_it_is(context.home, stack, context.driver)
    outlook = ForeseeResult(seen.observed, change(seen.desired, now), seen.desired)
    result = preview(outlook.desired, seen.observed, now)
    replaced = replacement.replacements(result, outlook)
    return PlanResult(result, outlook, replaced, replacement.left_alone(outlook), ())


def render_text(result: PlanResult) -> str:
    """Each round of actions with its reasons, then the replacements with theirs."""
    return preview_text(result.preview) + replacement.render_text(result.replaced, result.orphaned, result.kept)


def steps(result: PlanResult) -> list[Step]:
    """The actions, and which of them come after which."""
    return steps_of(result.preview, result.outlook.desired, result.outlook.observed)


def render_data(result: PlanResult) -> dict[str, object]:
    """The same as JSON-able data."""
    return {**preview_data(result.preview), **replacement.render_data(result.replaced, result.orphaned, result.kept)}
