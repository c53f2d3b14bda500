"""What connects a container to the networks that the file names, and takes it off others, while it runs.

What was connected by hand stays until the container is replaced; what was disconnected by hand, until the next command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.observed import BY_HAND
from orchestra.model.resource import ResourceId
from orchestra.plan.action import ConnectContainer, DisconnectContainer
from orchestra.plan.replace import replacement_reason
from orchestra.plan.verdict import Blocked

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.observed import Container
    from orchestra.plan.situation import Situation


def next_connection(
    situation: Situation, spec: ContainerSpec, container: Container
) -> ConnectContainer | DisconnectContainer | Blocked | None:
    """The next change of the container's networks; None if they are as the file says, or are to be kept."""
    seen = container.endpoints
    wanted = {endpoint.network: endpoint.config_hash for endpoint in spec.endpoints}
    if seen == wanted or situation.is_never_replaced(spec, container):
        return None
    missing: list[ResourceId] = []
    changing = {verdict.resource for verdict in (*situation.ready, *situation.blocked)}
    for endpoint in spec.endpoints:
        network = endpoint.network
        if seen.get(network) == endpoint.config_hash or _was_left(situation, container, network):
            continue
        resource = ResourceId.network(network)
        if network not in situation.observed.networks or resource in situation.in_flight or resource in changing:
            missing.append(resource)
        elif network in seen:
            return ConnectContainer(container.name, endpoint, f"its part in network {network} changed")
        else:
            return ConnectContainer(container.name, endpoint, f"to network {network}")
    for network in container.networks:
        if network not in wanted and seen.get(network) != BY_HAND:
            return DisconnectContainer(container.name, network, f"from network {network}, which the file does not name")
    if missing:
        reason = f"waits for {', '.join(map(str, missing))}, to be connected to"
        return Blocked(ResourceId.container(container.name), reason, tuple(missing))
    return None


def leaves(situation: Situation, spec: ContainerSpec, container: Container, network: str) -> bool:
    """Whether the container, as it is, is going to be disconnected from the network."""
    if situation.replica_wish(spec).rests or situation.is_never_replaced(spec, container):
        return False
    named = any(endpoint.network == network for endpoint in spec.endpoints)
    by_hand = container.endpoints.get(network) == BY_HAND
    return not (named or by_hand or replacement_reason(situation, spec, container))


def _was_left(situation: Situation, container: Container, network: str) -> bool:
    """Whether it was disconnected by hand, and no command has asked for its service since."""
    return network in container.left and container.left[network] >= situation.wish(container.service).at
