"""The networks of a home as commands show and remove them, whatever stack made them. Asks no supervisor."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import lease_file
from orchestra.driver.local.net.found_leases import load_specs
from orchestra.driver.local.net.network import remove_network
from orchestra.errors import UserError
from orchestra.model.host_network import HostNetwork, Member, Subnet
from orchestra.model.network_driver import NetworkDriver

if TYPE_CHECKING:
    from orchestra.home import Home


def list_networks(home: Home) -> list[HostNetwork]:
    """Every network, with the containers of all stacks that are attached to it, sorted by name."""
    members: dict[str, list[Member]] = {}
    for stack in _names_in(home.stacks_run):
        for entry in attachments.load_all(home.stack(stack)):
            made = entry.attachment
            for port in made.interfaces:
                member = Member(
                    made.container,
                    made.container_id,
                    port.mac_address,
                    port.address and f"{port.address}/{port.prefix}",
                    port.ipv6_address and f"{port.ipv6_address}/{port.ipv6_prefix}",
                )
                members.setdefault(port.network, []).append(member)
    return [
        HostNetwork(
            id=network_id(home, name),
            name=name,
            stack=lease.stack,
            bridge=lease.bridge,
            driver=lease.parent.driver if lease.parent else NetworkDriver.BRIDGE,
            subnets=tuple(Subnet(pool.subnet, pool.gateway, pool.ip_range) for pool in lease.pools),
            internal=lease.internal,
            labels=lease.labels,
            driver_options=lease.driver_options,
            created_at=lease.created_at,
            members=tuple(members.get(name, ())),
        )
        for name, lease in sorted(lease_file.load(home).networks.items())
    ]


def network_id(home: Home, name: str) -> str:
    return hashlib.sha256(f"{home.run}\0{name}".encode()).hexdigest()


def reasons_to_keep(home: Home, network: HostNetwork) -> list[str]:
    """What uses the network: containers, running or not; otherwise a stack that is not down and has it in its file."""
    found = [f"container {member.name}" for member in network.members]
    stack = network.stack
    if not found and any(spec.name == network.name for spec in load_specs(home.stack(stack))):
        found.append(f"stack {stack}, which is not down")
    return found


def remove_unused(home: Home, network: HostNetwork) -> None:
    """Raises UserError if something uses the network, FatalError, and StillInUse if that begins meanwhile."""
    if reasons := reasons_to_keep(home, network):
        hint = "remove what uses it first: orchestra down"
        raise UserError(f"network {network.name} is in use by {', '.join(reasons)}", hint=hint)
    remove_network(home, network.stack, network.name)


def _names_in(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
