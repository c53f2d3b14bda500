"""``orchestra plan``: what ``up`` would do, and why. Exit code 0: nothing; 1: something would fail; 2: changes."""

from __future__ import annotations

import json
import sys

from orchestra.cli.changes import read_changes, read_chosen
from orchestra.cli.warnings import warn_of_damage, warn_of_notes
from orchestra.errors import UserError
from orchestra.stacks.plan import PlanOptions, load_for_plan, plan, render_data, render_text, steps
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.plan import PlanResult
    from orchestra.stacks.stack_file import Prepared

CHANGES = 2


def run(invocation: Invocation) -> int:
    values = invocation.values
    if values["driver"]:
        from orchestra.cli.deploy import show_plan

        return show_plan(invocation)
    options = PlanOptions(read_chosen(values), read_changes(values), values["offline"])
    out = values["out"]
    if out is not None and options.offline:
        raise UserError("--out and --offline cannot be combined: such a plan is for no machine")
    prepared, result = _plan(invocation, options)
    print_plan(result, values["format"])
    if out is not None:
        from orchestra.stacks.apply import write_plan

        write_plan(invocation.context, out, prepared, options, result)
        print(visible(f"orchestra apply {out} carries it out"), file=sys.stderr)
    if result.preview.failed:
        return 1
    return CHANGES if result.preview.changes else 0


def print_plan(result: PlanResult, format: str) -> None:
    """format: text, json, dot or mermaid."""
    if format == "text":
        print_text(result)
    elif format == "json":
        print(json.dumps(render_data(result), indent=2))
    else:
        from orchestra.cli.render.plan_formats import render_dot, render_mermaid

        drawn = (
            render_dot(result.outlook.desired.stack, steps(result))
            if format == "dot"
            else render_mermaid(steps(result))
        )
        sys.stdout.write(visible(drawn, lines=True))


def plan_up(invocation: Invocation, options: PlanOptions) -> PlanResult:
    """What ``up`` would do with these options."""
    return _plan(invocation, options)[1]


def _plan(invocation: Invocation, options: PlanOptions) -> tuple[Prepared, PlanResult]:
    context = invocation.context
    prepared = load_for_plan(context, options)
    warn_of_notes(invocation, prepared.notes)
    result = plan(context, prepared, options)
    warn_of_damage(result.damage)
    return prepared, result


def print_text(result: PlanResult) -> None:
    sys.stdout.write(visible(render_text(result), lines=True))
