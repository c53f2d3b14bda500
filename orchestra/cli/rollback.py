"""``orchestra rollback``: bring the stack back to what it was asked to be before."""

from __future__ import annotations

import sys
import time

from orchestra.cli.history import parse_revision
from orchestra.cli.render.ages import describe_span
from orchestra.cli.up import bring_up
from orchestra.record import replace
from orchestra.stacks.rollback import CHANGES, begin_rollback
from orchestra.stacks.up import UpOptions
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.model.request import Changes


def run(invocation: Invocation) -> int:
    values = invocation.values
    if values["driver"]:
        from orchestra.cli.deploy import roll_back

        return roll_back(invocation)
    rollback = begin_rollback(invocation.context, parse_revision(values["revision"]))
    revision = rollback.revision
    age = describe_span(time.time() - revision.at).lower()
    told = f"back to revision {revision.number}, {age} ago ({revision.author.user}: {revision.author.command})"
    print(visible(told), file=sys.stderr, flush=True)
    print("the Compose file stays as it is: the next orchestra up follows it again", file=sys.stderr, flush=True)
    wait = values["wait"] or values["wait_timeout"] is not None
    options = UpOptions(changes=read_going_back(values), wait=wait, wait_timeout=values["wait_timeout"])
    return bring_up(invocation, rollback.beginning, options)


def read_going_back(values: dict[str, Any]) -> Changes:
    """values: of the command line."""
    return replace(CHANGES, stop_timeout=values["timeout"])
