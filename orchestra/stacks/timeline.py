"""``timeline``: where the time of the last ``up`` went, or that since another moment, from the events on disk."""

from __future__ import annotations

import time

from orchestra.control.desired_file import load_desired
from orchestra.control.history import read_events
from orchestra.errors import UserError
from orchestra.model.desired import Desired
from orchestra.model.names import StackName
from orchestra.plan.timeline import Part, Segment, Timeline, between, last_up
from orchestra.stacks.containers import find_stack
from orchestra.stacks.permission import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context

__all__ = ["Part", "Segment", "Timeline", "timeline"]


def timeline(context: Context, since: float | None = None) -> Timeline:
    """since: Unix seconds; None for the last ``up``.

    Raises the errors of a load, UserError if there are no events, EnvironmentLack if this user may not read them, and
    FatalError for a damaged file.
    """
    stack = find_stack(context).stack
    home = context.home.stack(stack)
    with reading():
        events = sorted(read_events(home), key=lambda event: event.at)
        desired = load_desired(home) or Desired(StackName(stack))
    if since is not None:
        return between(events, desired, since, time.time())
    found = last_up(events, desired)
    if found is None:
        raise UserError(
            f"stack {stack} has no events of an up", hint="they begin with orchestra up, and go with orchestra down"
        )
    return found
