"""``status``: whether a stack is as it should be, what is missing, and how following its files goes."""

from __future__ import annotations

import time

from orchestra.model.observation import ObserveResult
from orchestra.model.request import ObserveRequest
from orchestra.plan.standing import ServiceStanding, StackStanding, Verdict, standing
from orchestra.record import Record, replace
from orchestra.stacks.boot.unit import is_enabled
from orchestra.stacks.containers import find_stack
from orchestra.stacks.following.find import following_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.model.edit import Edit
    from orchestra.stacks.context import Context

__all__ = ["ServiceStanding", "StatusResult", "Verdict", "status"]


class StatusResult(Record):
    """supervised: a supervisor runs. followed: Unix time since when the files are followed, None if they are not.

    edit: what came of the last edit of files that are followed; None if there was none. enabled: it comes back at boot.
    """

    stack: str
    standing: StackStanding
    supervised: bool
    followed: float | None = None
    edit: Edit | None = None
    enabled: bool = False


def status(context: Context) -> StatusResult:
    """Raises the errors of a load, EnvironmentLack without permission, and FatalError for a damaged file."""
    context.need_privileges()
    stack = find_stack(context).stack
    following = following_of(context, stack)  # first: the stack is looked at as it is after that edit
    seen = context.client(stack).ask_if_running(ObserveResult, ObserveRequest())
    supervised = seen is not None
    if seen is None:
        from orchestra.control.look import look_as_it_is

        seen = look_as_it_is(context.home, stack, context.driver)
    found = standing(seen.desired, replace(seen.observed, failures=seen.failures), time.time())
    result = StatusResult(stack, found, supervised, enabled=is_enabled(stack, context.units))
    if following is None:
        return result
    return replace(result, followed=following.follow.at, edit=following.edit)
