"""``orchestra scale``: change how many containers a service has."""

from __future__ import annotations

from orchestra.cli.changes import read_scaling
from orchestra.cli.up import begin, bring_up
from orchestra.stacks.up import UpOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    if invocation.values["driver"]:
        from orchestra.cli.deploy import scale

        return scale(invocation)
    options = UpOptions(read_scaling(invocation.values))
    return bring_up(invocation, begin(invocation, options), options)
