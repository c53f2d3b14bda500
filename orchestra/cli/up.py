"""``orchestra up``: have the world be as the file says, and show how it follows."""

from __future__ import annotations

import sys

from orchestra.cli.changes import read_changes, read_chosen
from orchestra.cli.render.errors import render_failures
from orchestra.cli.render.progress import open_progress
from orchestra.cli.warnings import warn_of_damage, warn_of_notes, warn_of_orphans
from orchestra.errors import UserError
from orchestra.stacks.up import UpOptions, begin_up, up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.model.result import UpResult
    from orchestra.stacks.up import Beginning


def run(invocation: Invocation) -> int:
    values = invocation.values
    wait = values["wait"] or values["wait_timeout"] is not None
    attached = not (values["detach"] or wait)
    _check(values, attached)
    options = UpOptions(read_chosen(values), read_changes(values), wait, values["wait_timeout"])
    context = invocation.context
    beginning = begin_up(context, options.chosen)
    warn_of_notes(invocation, beginning.prepared.notes)
    if attached:
        from orchestra.cli.attached import run_attached

        return run_attached(invocation, context, beginning, options)
    return bring_up(invocation, beginning, options)


def bring_up(invocation: Invocation, beginning: Beginning, options: UpOptions) -> int:
    """Until everything runs, or cannot; the exit code."""
    with open_progress(invocation) as progress:
        progress.services = beginning.prepared.selected
        progress.waits = options.wait
        result = up(beginning, options, progress.hear)
        progress.settle(result.containers)
    return conclude(invocation, result)


def conclude(invocation: Invocation, result: UpResult) -> int:
    """Say what a result has to say; the exit code."""
    warn_of_damage(result.damage)
    warn_of_orphans(result.orphans)
    if result.failures:
        print(render_failures(result.failures, invocation.colors(sys.stderr)), end="", file=sys.stderr)
    if result.timed_out:
        waiting = f": waiting for {', '.join(result.unproven)}" if result.unproven else ""
        raise UserError(
            f"application not healthy after {invocation.values['wait_timeout']}s{waiting}",
            hint="orchestra ps and orchestra logs show why; the containers go on running",
        )
    return 1 if result.failures else 0


def _check(values: dict[str, Any], attached: bool) -> None:
    for name in ("abort_on_container_exit", "abort_on_container_failure", "exit_code_from", "attach", "no_attach"):
        if values[name] and not attached:
            raise UserError(f"--{name.replace('_', '-')} does not go with -d or --wait: nothing is attached then")
