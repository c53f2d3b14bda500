"""``plan --out`` and ``apply``: write a plan down, and carry out exactly that one, or nothing."""

from __future__ import annotations

import json
import os
import time

from orchestra import __version__
from orchestra.errors import UserError
from orchestra.linux import private_files
from orchestra.model.codec import decode, encode
from orchestra.model.desired import Desired
from orchestra.model.reviewed import ReviewedPlan
from orchestra.plan.preview import check_reviewed, describe_actions
from orchestra.stacks.stack_file import concern, prepared_from
from orchestra.stacks.up import Beginning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context
    from orchestra.stacks.plan import PlanOptions, PlanResult
    from orchestra.stacks.stack_file import Prepared


def write_plan(context: Context, path: str, prepared: Prepared, options: PlanOptions, result: PlanResult) -> None:
    """Write it for ``apply``. Only the caller can read it: it may hold secrets. Raises UserError if it cannot."""
    plan = review(context, prepared, options, result)
    try:
        private_files.store(os.path.abspath(path), json.dumps(encode(plan), indent=1).encode() + b"\n")
    except OSError as error:
        raise UserError(f"the plan cannot be written: {path}: {error.strerror}") from error


def review(context: Context, prepared: Prepared, options: PlanOptions, result: PlanResult) -> ReviewedPlan:
    """The plan as it was looked at."""
    return ReviewedPlan(
        version=__version__,
        home=context.home.data,
        at=time.time(),
        actions=describe_actions(result.preview),
        changes=concern(options.changes, options.chosen, prepared),
        desired=decode(Desired, json.loads(prepared.desired)),
    )


def begin_reviewed(context: Context, prepared: Prepared, plan: ReviewedPlan) -> Beginning:
    """An ``up`` that is refused if it would do anything else than the plan. Raises EnvironmentLack."""
    context.need_privileges()
    return Beginning(prepared, context.client(plan.desired.stack), context, reviewed=plan)


def begin_apply(context: Context, path: str) -> Beginning:
    """An ``up`` that is refused if it would do anything else than the plan says.

    Raises UserError for what is no plan of this home and version, EnvironmentLack without permission.
    """
    prepared, plan = _prepare(context, path)
    return Beginning(prepared, context.client(plan.desired.stack), context, reviewed=plan)


def plan_again(context: Context, path: str) -> PlanResult:
    """What ``apply`` would do. Raises what it raises."""
    from orchestra.stacks.plan import plan_changes

    prepared, plan = _prepare(context, path)
    result = plan_changes(context, prepared, plan.changes)
    check_reviewed(plan.desired.stack, plan.actions, result.preview)
    return result


def _prepare(context: Context, path: str) -> tuple[Prepared, ReviewedPlan]:
    context.need_privileges()
    plan = read_plan(path)
    if plan.home != context.home.data:
        raise UserError(f"{path} is a plan for the stacks in {plan.home}, not in {context.home.data}")
    return prepared_from(plan.desired, plan.changes.services), plan


def read_plan(path: str) -> ReviewedPlan:
    """Raises UserError for what is no plan, or one of another version."""
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read())
        version = content["version"]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", hint="orchestra plan --out FILE writes one") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is no plan", hint="orchestra plan --out FILE writes one") from error
    if version != __version__:
        raise UserError(f"{path} was made by orchestra {version}, and this is {__version__}", hint="make it again")
    try:
        return decode(ReviewedPlan, content)
    except ValueError as error:
        raise UserError(f"{path} is no plan: {error}", hint="orchestra plan --out FILE writes one") from error
