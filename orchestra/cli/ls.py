"""``orchestra ls``: list the stacks of this home, in Docker Compose's columns."""

from __future__ import annotations

import sys

from orchestra.cli.render.columns import output_width
from orchestra.cli.render.template import check_format, render_rows
from orchestra.cli.warnings import tell_of_root, warn_of_damage
from orchestra.record import replace
from orchestra.stacks.ls import ls, ls_of_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.ls import StackRow

LIVING = frozenset({"running", "paused", "restarting"})
HEADER = {"User": "USER", "Name": "NAME", "Status": "STATUS", "AtBoot": "AT BOOT", "ConfigFiles": "CONFIG FILES"}


def run(invocation: Invocation) -> int:
    context = invocation.context
    check_format(invocation.values["format"])
    filters = invocation.values["filters"]
    stacks, unread = ls_of_all(context, filters) if invocation.values["all_users"] else (ls(context, filters), [])
    for user in unread:
        print(f"warning: the stacks of user {user} could not be read", file=sys.stderr)
    for stack in stacks:
        warn_of_damage(stack.damage)
    if not stacks and not filters:
        tell_of_root(invocation, context)
    living = [_of_living(stack) for stack in stacks if not LIVING.isdisjoint(stack.states)]
    shown = stacks if invocation.values["all"] else living
    for unit in [stack.lost_program for stack in shown if stack.lost_program]:
        print(f"warning: {unit} does not exist, but a unit runs it: run orchestra enable again", file=sys.stderr)
    sys.stdout.write(render(shown, invocation.values, output_width()))
    return 0


def render(stacks: Sequence[StackRow], values: dict[str, Any], width: int | None = None) -> str:
    if values["quiet"]:
        return "".join(f"{stack.name}\n" for stack in stacks)
    absent = {"User": not any(stack.user for stack in stacks), "AtBoot": not any(stack.enabled for stack in stacks)}
    header = {column: title for column, title in HEADER.items() if not absent.get(column)}
    cells = [
        {
            "User": stack.user,
            "Name": stack.name,
            "Status": _status(stack),
            "AtBoot": "enabled" if stack.enabled else "",
            "ConfigFiles": ",".join(stack.files),
        }
        for stack in stacks
    ]
    rows = [{column: row[column] for column in header} for row in cells]
    return render_rows(values["format"], header, rows, width=width, array=True)


def _of_living(stack: StackRow) -> StackRow:
    return replace(stack, states={state: number for state, number in stack.states.items() if state in LIVING})


def _status(stack: StackRow) -> str:
    """``exited(1), running(2)``"""
    return ", ".join(f"{state}({number})" for state, number in sorted(stack.states.items()))
