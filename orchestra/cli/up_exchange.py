"""What ``up`` asks of the supervisor, and what is said of the answer: the same in the foreground and detached."""

from __future__ import annotations

import sys

from orchestra.cli.asking import request_with_desired
from orchestra.cli.render.errors import render_failures
from orchestra.cli.stack_file import parse_scale
from orchestra.control.environment import for_registries
from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.stack_file import Prepared


_OPTIONS = {
    "force_recreate": "--force-recreate",
    "always_recreate_deps": "--always-recreate-deps",
    "renew_volumes": "--renew-anon-volumes",
}


def encode_up(invocation: Invocation, prepared: Prepared) -> bytes:
    """The request."""
    values = invocation.values
    return request_with_desired(
        "up",
        prepared.desired,
        **encode_wish(values, prepared),
        environment=for_registries(),
        stop_timeout=values["timeout"],
        wait=(values["wait"] or values["wait_timeout"] is not None) or None,
        wait_timeout=values["wait_timeout"],
    )


def encode_wish(values: dict[str, Any], prepared: Prepared) -> dict[str, Any]:
    """What the options that ``up`` and ``plan`` share ask for, see ``orchestra.control.wishes``."""
    wish = {
        "services": prepared.selected,
        "named": values["services"],
        "scaled": list(parse_scale(values["scale"])),
        "no_deps": values["no_deps"],
        "recreate": "always" if values["force_recreate"] else "never" if values["no_recreate"] else None,
        "recreate_dependencies": values["always_recreate_deps"],
        "renew_volumes": values["renew_volumes"],
        "pull": None if values["pull"] == "policy" else values["pull"],
        "remove_orphans": values["remove_orphans"],
    }
    return {name: value for name, value in wish.items() if value}


def check_wish(values: dict[str, Any]) -> None:
    """Raise UserError for options that exclude each other."""
    for other in ("force_recreate", "always_recreate_deps", "renew_volumes"):
        if values["no_recreate"] and values[other]:
            raise UserError(f"--no-recreate and {_OPTIONS[other]} exclude each other")


def conclude(invocation: Invocation, result: dict[str, Any]) -> int:
    """Say what a result has to say; the exit code."""
    if result["damage"]:
        from orchestra.cli.looking import warn_of_damage

        warn_of_damage(result["damage"])
    if result["orphans"]:
        from orchestra.cli.down import warn_of_orphans

        warn_of_orphans(result["orphans"])
    if result["failures"]:
        print(render_failures(result["failures"], invocation.colors(sys.stderr)), end="", file=sys.stderr)
    if result["timed_out"]:
        waiting = f": waiting for {', '.join(result['unproven'])}" if result["unproven"] else ""
        raise UserError(
            f"application not healthy after {invocation.values['wait_timeout']}s{waiting}",
            hint="orchestra ps and orchestra logs show why; the containers go on running",
        )
    return 1 if result["failures"] else 0
