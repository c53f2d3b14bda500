"""``orchestra network inspect``: print everything about networks, in Docker's words."""

from __future__ import annotations

import time

from orchestra.cli.each import for_each
from orchestra.cli.inspection import print_found
from orchestra.stacks.host_networks import DRIVER, SCOPE, find_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.driver.local.net.listing import Listed


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    found: list[dict[str, Any]] = []
    code = for_each(
        invocation, values["names"], lambda name: found.append(_fields(find_network(context, name))), "network"
    )
    print_found(values["format"], found)
    return code


def _fields(network: Listed) -> dict[str, Any]:
    lease = network.lease
    pool = {"Subnet": lease.subnet, **({"IPRange": lease.ip_range} if lease.ip_range else {}), "Gateway": lease.gateway}
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(lease.created_at)),
        "Scope": SCOPE,
        "Driver": DRIVER,
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": {}, "Config": [pool]},
        "Internal": lease.internal,
        "Attachable": True,
        "Containers": {
            member.id: {
                "Name": member.name,
                "MacAddress": member.mac_address,
                "IPv4Address": member.address,
                "IPv6Address": "",
            }
            for member in network.members
        },
        "Options": dict(lease.driver_options),
        "Labels": dict(lease.labels),
        "Bridge": lease.bridge,
        "Stack": lease.stack,
    }
