"""``orchestra scale``: change how many containers a service has."""

from __future__ import annotations

from orchestra.cli.changes import parse_scale
from orchestra.cli.up import begin, bring_up
from orchestra.stacks.stack_file import Chosen
from orchestra.stacks.up import UpOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    scale = parse_scale(invocation.values["scale"])
    options = UpOptions(Chosen(tuple(scale), invocation.values["no_deps"], scale))
    return bring_up(invocation, begin(invocation, options), options)
