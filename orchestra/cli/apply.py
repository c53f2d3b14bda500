"""``orchestra apply``: carry out the plan that ``plan --out`` has written, or nothing."""

from __future__ import annotations

from orchestra.cli.up import bring_up
from orchestra.stacks.apply import begin_apply
from orchestra.stacks.up import UpOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    beginning = begin_apply(invocation.context, values["plan"])
    wait = values["wait"] or values["wait_timeout"] is not None
    return bring_up(invocation, beginning, UpOptions(wait=wait, wait_timeout=values["wait_timeout"]))
