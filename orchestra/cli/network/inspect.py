"""``orchestra network inspect``: print everything about networks, in Docker's words."""

from __future__ import annotations

import time

from orchestra.cli.each import for_each
from orchestra.cli.inspection import print_found
from orchestra.stacks.host_networks import SCOPE, find_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.model.host_network import HostNetwork


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    found: list[dict[str, Any]] = []
    code = for_each(
        invocation, values["names"], lambda name: found.append(_fields(find_network(context, name))), "network"
    )
    print_found(values["format"], found)
    return code


def _fields(network: HostNetwork) -> dict[str, Any]:
    pools = [
        {"Subnet": each.subnet, **({"IPRange": each.ip_range} if each.ip_range else {}), "Gateway": each.gateway}
        for each in network.subnets
    ]
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(network.created_at)),
        "Scope": SCOPE,
        "Driver": network.driver,
        "EnableIPv4": network.has_ip(4),
        "EnableIPv6": network.has_ip(6),
        "IPAM": {"Driver": "default", "Options": {}, "Config": pools},
        "Internal": network.internal,
        "Attachable": True,
        "Containers": {
            member.id: {
                "Name": member.name,
                "MacAddress": member.mac_address,
                "IPv4Address": member.address,
                "IPv6Address": member.ipv6_address,
            }
            for member in network.members
        },
        "Options": dict(network.driver_options),
        "Labels": dict(network.labels),
        "Bridge": network.bridge,
        "Stack": network.stack,
    }
