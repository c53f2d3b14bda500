"""``orchestra network create``: create a network that no stack file declares."""

from __future__ import annotations

from orchestra.stacks.standalone_network import NewNetwork, create_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    print(create_network(invocation.context, invocation.options(NewNetwork)))
    return 0
