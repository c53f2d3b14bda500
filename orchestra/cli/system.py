"""``orchestra system prune``: remove leftovers of dead stacks."""

from __future__ import annotations

import sys

from orchestra.cli.confirm import is_sure, need_terminal
from orchestra.errors import OrchestraError
from orchestra.stacks.prune import find_leftovers, remove_leftover
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.prune import Item


def run(invocation: Invocation) -> int:
    context, force = invocation.context, invocation.values["force"]
    context.need_privileges()
    if not force:
        need_terminal()
    items = find_leftovers(context)
    if not items:
        print("Nothing to remove.")
        return 0
    if not force and not is_sure(_warning(items)):
        return 0
    failed = False
    for item in items:
        try:
            remove_leftover(context, item)
        except (OrchestraError, OSError) as error:
            from orchestra.cli.render.errors import render_error

            print(f"{describe(item)}: {render_error(error, invocation.colors(sys.stderr))}", end="", file=sys.stderr)
            failed = True
        else:
            print(f"Removed {describe(item)}")
    return 1 if failed else 0


def describe(item: Item) -> str:
    """``snapshot of shop-web-1``."""
    return visible(f"{item.kind} {item.name}" if item.kind != "network" else item.name)


def _warning(items: Sequence[Item]) -> str:
    lines = ["This will remove leftovers of stacks that no longer run; volumes, logs and images are kept:"]
    return "\n".join([*lines, *(f"  - {describe(item)}" for item in items)])
