"""``orchestra down``: stop and remove the stack, or a part of it, in reverse order; volumes stay unless asked."""

from __future__ import annotations

import os
import sys

from orchestra.cli.asking import client_of, request
from orchestra.cli.looking import find_stack, warn_of_damage
from orchestra.cli.render.errors import render_failures
from orchestra.cli.render.progress import open_progress
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.home import StackHome


def run(invocation: Invocation) -> int:
    invocation.need_root()
    stack, services = find_stack(invocation)
    values = invocation.values
    stack_home = invocation.home.stack(stack)
    if not values["volumes"] and not _is_known(stack_home):
        print(f'warning: No resource found to remove for project "{stack}".', file=sys.stderr)
        return 0
    asked = request(
        "down",
        services=services,
        selected=values["services"] or None,
        remove_volumes=values["volumes"],
        remove_orphans=values["remove_orphans"],
        stop_timeout=values["timeout"],
    )
    client = client_of(invocation, stack)
    with open_progress(invocation) as progress:
        result = client.ask(asked, progress.hear)
    warn_of_damage(result["damage"])
    if result["orphans"]:
        warn_of_orphans(result["orphans"])
    for kept in result["kept"]:
        print(f"warning: {visible(kept)}: it stays.", file=sys.stderr)
    if result["failures"]:
        print(render_failures(result["failures"], invocation.colors(sys.stderr)), end="", file=sys.stderr)
        return 1
    if result["leaving"]:
        from orchestra.control.farewell import clear_away

        clear_away(stack_home)
    return 0


def warn_of_orphans(names: Sequence[str]) -> None:
    shown = ", ".join(map(visible, names))
    print(
        f"warning: Found orphan containers ({shown}) for this project. If you removed or renamed this "
        "service in your compose file, you can run this command with the --remove-orphans flag to clean it up.",
        file=sys.stderr,
    )


def _is_known(stack_home: StackHome) -> bool:
    return os.path.exists(stack_home.desired) or os.path.isdir(stack_home.containers)
