"""``orchestra create``: have the containers that the file declares, without starting them."""

from __future__ import annotations

from orchestra.cli.changes import read_changes, read_chosen
from orchestra.cli.up import begin, bring_up
from orchestra.record import replace
from orchestra.stacks.up import UpOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    options = UpOptions(read_chosen(values), replace(read_changes(values), start=False))
    return bring_up(invocation, begin(invocation, options), options)
