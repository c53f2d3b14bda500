"""``orchestra system prune``: remove what dead stacks left behind."""

from __future__ import annotations

import sys

from orchestra.errors import OrchestraError, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.driver.local.prune import Item


def run(invocation: Invocation) -> int:
    from orchestra.driver.local import prune

    invocation.need_root()
    force = invocation.values["force"]
    if not force and not sys.stdin.isatty():
        raise UserError("there is no terminal to ask at", hint="say --force when it shall not ask")
    home = invocation.home
    items = prune.find(home)
    if not items:
        print("Nothing to remove.")
        return 0
    if not force and not _is_sure(items):
        return 0
    failed = False
    for item in items:
        try:
            prune.remove(home, item)
        except (OrchestraError, OSError) as error:
            from orchestra.cli.render.errors import render_error

            print(f"{describe(item)}: {render_error(error, invocation.colors(sys.stderr))}", end="", file=sys.stderr)
            failed = True
        else:
            print(f"Removed {describe(item)}")
    return 1 if failed else 0


def describe(item: Item) -> str:
    """``snapshot of shop-web-1``."""
    return f"{item.kind} {item.name}" if item.kind != "network" else item.name


def _is_sure(items: Sequence[Item]) -> bool:
    print("This will remove what dead stacks have left; volumes, logs and images stay:")
    for item in items:
        print(f"  - {describe(item)}")
    print("Are you sure you want to continue? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
