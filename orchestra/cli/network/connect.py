"""``orchestra network connect``: connect a container to a network while it exists."""

from __future__ import annotations

from orchestra.stacks.connections import ConnectOptions, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    options = ConnectOptions(
        values["network"],
        values["container"],
        tuple(values["aliases"]),
        values["ipv4_address"] or "",
        tuple(values["link_local_addresses"]),
        values["gateway_priority"],
        values["ipv6_address"] or "",
        tuple(values["driver_options"]),
    )
    connect(invocation.context, options)
    return 0
