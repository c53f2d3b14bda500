"""``orchestra network ls``: the networks of the home, in Docker's columns."""

from __future__ import annotations

import sys

from orchestra.cli.render.ages import describe_moment
from orchestra.cli.render.columns import output_width
from orchestra.cli.render.template import check_format, render_rows
from orchestra.cli.template.values import Method
from orchestra.model.names import short_id
from orchestra.stacks.host_networks import SCOPE, list_networks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.model.host_network import HostNetwork

HEADER = {"ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE"}


def run(invocation: Invocation) -> int:
    values = invocation.values
    check_format(values["format"])
    full = values["full"]
    found = list_networks(invocation.context, values["filters"])
    if values["quiet"]:
        sys.stdout.write("".join(f"{network.id if full else short_id(network.id)}\n" for network in found))
    else:
        rows = [_fields(network, full=full) for network in found]
        sys.stdout.write(render_rows(values["format"], HEADER, rows, width=output_width()))
    return 0


def _fields(network: HostNetwork, *, full: bool) -> dict[str, Any]:
    labels = network.labels
    return {
        "CreatedAt": describe_moment(network.created_at),
        "Driver": network.driver,
        "ID": network.id if full else short_id(network.id),
        "IPv4": str(network.has_ip(4)).lower(),
        "IPv6": str(network.has_ip(6)).lower(),
        "Internal": str(network.internal).lower(),
        "Label": Method(lambda name: labels.get(name, "")),
        "Labels": ",".join(f"{name}={text}" for name, text in sorted(labels.items())),
        "Name": network.name,
        "Scope": SCOPE,
    }
