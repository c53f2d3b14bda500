"""When networks are created, replaced and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.observed import Exited
from orchestra.model.resource import ResourceId
from orchestra.plan.action import ConnectContainer, CreateContainer, CreateNetwork, RemoveNetwork
from orchestra.plan.verdict import Blocked, Failed

if TYPE_CHECKING:
    from orchestra.model.desired import NetworkSpec
    from orchestra.model.observed import Container, Network
    from orchestra.plan.situation import Situation


def differs(spec: NetworkSpec, seen: Network) -> bool:
    """Whether the network on this machine was created from another definition; an empty hash means unknown."""
    if spec.external or seen.external or not seen.config_hash:
        return False
    return spec.config_hash != seen.config_hash


def plan_network(situation: Situation, spec: NetworkSpec) -> CreateNetwork | RemoveNetwork | Blocked | Failed | None:
    resource = ResourceId.network(spec.name)
    if resource in situation.in_flight:
        return None
    seen = situation.observed.networks.get(spec.name)
    if seen is None:
        if spec.external:
            error = f"network {spec.name} declared as external, but could not be found"
            return Failed(resource, error, f"run orchestra network create {spec.name}, or take `external` away")
        return CreateNetwork(spec, "does not exist")
    if not differs(spec, seen):
        return CreateNetwork(spec, seen.loss) if seen.loss else None
    users = users_of(situation, spec.name)
    containers, specs = situation.observed.containers, situation.specs
    one_offs = [name for name in users if name in containers and holds_network(containers[name])]
    kept = [name for name in users if name in containers and name in specs and specs[name].one_off is None]
    if any(situation.is_never_replaced(specs[name], containers[name]) for name in kept):
        return None
    if one_offs:
        error = f"its definition changed, but {', '.join(one_offs)}, a container of orchestra run, still uses it"
        return Failed(resource, error, "it is replaced as soon as that has ended")
    wanted = situation.specs.keys() | situation.init_containers.keys()
    staying = [name for name in users if name not in wanted and name not in situation.leaving]
    if staying:
        error = f"its definition changed, but {', '.join(staying)}, which no service declares, still uses it"
        return Failed(resource, error, "remove it with --remove-orphans")
    if spec.name not in situation.changed_networks:
        own = [s for s in situation.of_services if any(e.network == spec.name for e in s.endpoints)]
        waits = tuple(ResourceId.image(image) for image in sorted({key for s in own for key in s.image_keys}))
        checks = situation.resources(s.name for s in own if s.name in situation.to_check)
        reason = "its definition changed; waits for the images of its containers, and for what is found out about them"
        return Blocked(resource, reason, waits + checks)
    if users:
        return Blocked(resource, f"its definition changed; in use by {', '.join(users)}", situation.resources(users))
    return RemoveNetwork(spec.name, "its definition changed")


def holds_network(container: Container) -> bool:
    """Whether it belongs to a one-off command that still runs: a changed network does not end it."""
    return container.one_off and not container.initializes and not isinstance(container.status, Exited)


def plan_network_removal(situation: Situation, network: Network) -> RemoveNetwork | Blocked | None:
    """Remove an undeclared network that the stack owns, if cleaning up was requested and no container is attached."""
    if network.external or not (situation.going_down or situation.request.remove_orphans):
        return None
    resource = ResourceId.network(network.name)
    if resource in situation.in_flight:
        return None
    users = users_of(situation, network.name)
    if not users:
        return RemoveNetwork(network.name, "the stack goes down" if situation.going_down else "no longer declared")
    if any(_stays(situation, name) for name in users):
        situation.hopeless.add(resource)
    return Blocked(resource, f"in use by {', '.join(users)}", situation.resources(users))


def _stays(situation: Situation, name: str) -> bool:
    departure = situation.leaving.get(name)
    is_kept = departure is None or departure.keep
    return is_kept and ResourceId.container(name) not in situation.in_flight


def users_of(situation: Situation, network: str) -> list[str]:
    """Names of containers that are attached to a network, or are about to be."""
    users = {c.name for c in situation.observed.containers.values() if c.uses_network(network)}
    for action in situation.in_flight.values():
        match action:
            case CreateContainer(spec=spec) if any(endpoint.network == network for endpoint in spec.endpoints):
                users.add(spec.name)
            case ConnectContainer(name=name, endpoint=endpoint) if endpoint.network == network:
                users.add(name)
    return sorted(users)
