"""What ``up`` asks of the supervisor, and what is said of the answer: the same in the foreground and detached."""

from __future__ import annotations

import sys

from orchestra.cli.asking import request_with_desired
from orchestra.cli.render.errors import render_failures
from orchestra.errors import UserError
from orchestra.supervisor.environment import for_registries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.stack_file import Prepared


def encode_up(invocation: Invocation, prepared: Prepared) -> bytes:
    """The request."""
    values = invocation.values
    return request_with_desired(
        "up",
        prepared.desired,
        services=prepared.selected,
        recreate=values["force_recreate"] or None,
        renew_volumes=values["renew_volumes"] or None,
        pull=None if values["pull"] == "policy" else values["pull"],
        environment=for_registries(),
        remove_orphans=values["remove_orphans"] or None,
        stop_timeout=values["timeout"],
        wait=(values["wait"] or values["wait_timeout"] is not None) or None,
        wait_timeout=values["wait_timeout"],
    )


def conclude(invocation: Invocation, result: dict[str, Any]) -> int:
    """Say what a result has to say; the exit code."""
    if result["orphans"]:
        from orchestra.cli.down import warn_of_orphans

        warn_of_orphans(result["orphans"])
    if result["failures"]:
        print(render_failures(result["failures"], invocation.colors(sys.stderr)), end="", file=sys.stderr)
    if result["timed_out"]:
        raise UserError(
            f"application not healthy after {invocation.values['wait_timeout']}s",
            hint="orchestra ps and orchestra logs show what it waits for; it goes on trying",
        )
    return 1 if result["failures"] else 0
