"""Reports the results of ``up`` and of other commands that start or stop containers."""

from __future__ import annotations

import sys

from orchestra.cli.render.errors import render_failures
from orchestra.cli.warnings import warn_of_damage, warn_of_orphans
from orchestra.errors import UserError
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.model.result import ReportedFailure, StartResult, UpResult


def conclude(invocation: Invocation, result: UpResult) -> int:
    """Report a result; return the exit code."""
    warn_of_damage(result.damage)
    warn_of_orphans(invocation, result.orphans)
    for option in result.options:
        print(f"warning: {visible(option)}", file=sys.stderr)
    if result.unfollowed:
        print(
            "warning: the files of this stack were followed, and are not any more; up -d --follow follows them again",
            file=sys.stderr,
        )
    for name in result.kept:
        print(
            f'warning: volume "{visible(name)}" was made from another definition, and is left as it is: '
            "to have the new one, copy its data, and remove it with orchestra volume rm",
            file=sys.stderr,
        )
    for port in result.moved:
        print(f"{port.container}: port {port.asked} is in use; published at {port.published} instead", file=sys.stderr)
    return conclude_start(invocation, result)


def conclude_start(invocation: Invocation, result: UpResult | StartResult) -> int:
    """Report what could not be started; return the exit code. Raises UserError after a timeout."""
    code = conclude_failures(invocation, result.failures)
    if result.timed_out:
        waiting = f": waiting for {', '.join(result.unproven)}" if result.unproven else ""
        raise UserError(
            f"application not healthy after {invocation.values['wait_timeout']}s{waiting}",
            hint="run orchestra ps and orchestra logs to see why; the containers keep running",
        )
    return code


def conclude_failures(invocation: Invocation, failures: Sequence[ReportedFailure]) -> int:
    """Report failures; return the exit code."""
    if failures:
        print(render_failures(failures, invocation.colors(sys.stderr)), end="", file=sys.stderr)
    return 1 if failures else 0
