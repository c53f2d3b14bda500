"""``orchestra port``: the addresses at which ports of a service are published."""

from __future__ import annotations

from functools import partial

from orchestra.cli.warnings import tell_what_there_is
from orchestra.stacks.port import PortOptions, port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context = invocation.context
    for line in port(context, invocation.options(PortOptions), partial(tell_what_there_is, invocation, context)):
        print(line)
    return 0
