"""``orchestra create``: create the containers that the file declares, without starting them."""

from __future__ import annotations

from orchestra.cli.changes import read_chosen, read_creation
from orchestra.cli.up import begin, bring_up
from orchestra.stacks.up import UpOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    options = UpOptions(read_chosen(values), read_creation(values))
    return bring_up(invocation, begin(invocation, options), options)
