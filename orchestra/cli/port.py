"""``orchestra port``: the address that a port of a service is published at."""

from __future__ import annotations

from functools import partial

from orchestra.cli.warnings import tell_what_there_is
from orchestra.stacks.port import PortOptions, port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context = invocation.context
    print(port(context, invocation.options(PortOptions), partial(tell_what_there_is, invocation, context)))
    return 0
