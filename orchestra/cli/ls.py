"""``orchestra ls``: list the stacks of this home, in Docker Compose's columns."""

from __future__ import annotations

import sys

from orchestra.cli.render.columns import output_width
from orchestra.cli.render.template import check_format, render_rows
from orchestra.cli.warnings import tell_of_root, warn_of_damage
from orchestra.stacks.ls import ls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.ls import StackRow

HEADER = {"Name": "NAME", "Status": "STATUS", "ConfigFiles": "CONFIG FILES"}


def run(invocation: Invocation) -> int:
    context = invocation.context
    check_format(invocation.values["format"])
    stacks = ls(context, invocation.values["filters"])
    for stack in stacks:
        warn_of_damage(stack.damage)
    if not stacks and not invocation.values["filters"]:
        tell_of_root(invocation, context)
    shown = [stack for stack in stacks if invocation.values["all"] or {"running", "paused"} & stack.states.keys()]
    sys.stdout.write(render(shown, invocation.values, output_width()))
    return 0


def render(stacks: Sequence[StackRow], values: dict[str, Any], width: int | None = None) -> str:
    if values["quiet"]:
        return "".join(f"{stack.name}\n" for stack in stacks)
    rows = [{"Name": stack.name, "Status": _status(stack), "ConfigFiles": ",".join(stack.files)} for stack in stacks]
    return render_rows(values["format"], HEADER, rows, width=width, array=True)


def _status(stack: StackRow) -> str:
    """``exited(1), running(2)``"""
    return ", ".join(f"{state}({number})" for state, number in sorted(stack.states.items()))
