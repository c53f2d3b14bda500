"""``orchestra ls``: the stacks of this home, in Docker Compose's columns."""

from __future__ import annotations

import json
import sys

from orchestra.cli.render.columns import output_width, render_columns
from orchestra.cli.warnings import tell_of_root, warn_of_damage
from orchestra.stacks.ls import ls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.ls import StackRow

HEADER = ("NAME", "STATUS", "CONFIG FILES")


def run(invocation: Invocation) -> int:
    context = invocation.context
    stacks = ls(context)
    for stack in stacks:
        warn_of_damage(stack.damage)
    if not stacks:
        tell_of_root(invocation, context)
    shown = [stack for stack in stacks if invocation.values["all"] or "running" in stack.states]
    sys.stdout.write(render(shown, invocation.values, output_width()))
    return 0


def render(stacks: Sequence[StackRow], values: dict[str, Any], width: int | None = None) -> str:
    if values["quiet"]:
        return "".join(f"{stack.name}\n" for stack in stacks)
    rows = [(stack.name, _status(stack), ",".join(stack.files)) for stack in stacks]
    if values["format"] == "json":
        return json.dumps([dict(zip(("Name", "Status", "ConfigFiles"), row, strict=True)) for row in rows]) + "\n"
    return render_columns(HEADER, rows, width=width)


def _status(stack: StackRow) -> str:
    """``exited(1), running(2)``"""
    return ", ".join(f"{state}({number})" for state, number in sorted(stack.states.items()))
