"""``orchestra network disconnect``: take a container off a network while it exists."""

from __future__ import annotations

from orchestra.stacks.connections import disconnect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    disconnect(invocation.context, invocation.values["network"], invocation.values["container"])
    return 0
