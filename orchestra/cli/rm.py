"""``orchestra rm``: remove stopped containers, after asking."""

from __future__ import annotations

import sys

from orchestra.cli.confirm import is_sure, need_terminal
from orchestra.cli.life_cycle import stop_and_show
from orchestra.cli.progress import open_progress
from orchestra.cli.up_result import conclude_failures
from orchestra.stacks.life_cycle import StopOptions
from orchestra.stacks.rm import RemoveOptions, find_removable, remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context, options = invocation.context, invocation.options(RemoveOptions)
    if invocation.values["stop"]:
        code = stop_and_show(invocation, StopOptions(options.services))
        if code:
            return code
    removable = find_removable(context, options)
    if not removable.containers:
        print("No stopped containers", file=sys.stderr)
        return 0
    going = f"Going to remove {', '.join(removable.containers)}"
    if invocation.values["force"]:
        print(going)
    else:
        need_terminal()
        if not is_sure(f"{going}."):
            return 1
    with open_progress(invocation) as progress:
        result = remove(context, removable, options, progress.hear)
        progress.conclude("Removing", "Removed")
    return conclude_failures(invocation, result.failures)
