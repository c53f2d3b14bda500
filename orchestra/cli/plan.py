"""``orchestra plan``: what ``up`` would do, and why. Exit code 0: nothing; 1: something would fail; 2: changes."""

from __future__ import annotations

import json
import sys

from orchestra.cli.changes import read_changes, read_chosen
from orchestra.cli.warnings import warn_of_damage, warn_of_notes
from orchestra.stacks.plan import PlanOptions, load_for_plan, plan, render_data, render_text
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.plan import PlanResult

CHANGES = 2


def run(invocation: Invocation) -> int:
    values = invocation.values
    result = plan_up(invocation, PlanOptions(read_chosen(values), read_changes(values), values["offline"]))
    if values["format"] == "json":
        print(json.dumps(render_data(result), indent=2))
    else:
        print_text(result)
    if result.preview.failed:
        return 1
    return CHANGES if result.preview.changes else 0


def plan_up(invocation: Invocation, options: PlanOptions) -> PlanResult:
    """What ``up`` would do with these options."""
    context = invocation.context
    prepared = load_for_plan(context, options)
    warn_of_notes(invocation, prepared.notes)
    result = plan(context, prepared, options)
    warn_of_damage(result.damage)
    return result


def print_text(result: PlanResult) -> None:
    sys.stdout.write(visible(render_text(result), lines=True))
