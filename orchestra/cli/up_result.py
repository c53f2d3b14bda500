"""What is said of the result of ``up``: the same in the foreground and detached."""

from __future__ import annotations

import sys

from orchestra.cli.render.errors import render_failures
from orchestra.cli.warnings import warn_of_damage, warn_of_orphans
from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.model.result import UpResult


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
            hint="run orchestra ps and orchestra logs to see why; the containers keep running",
        )
    return 1 if result.failures else 0
