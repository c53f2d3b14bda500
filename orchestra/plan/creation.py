"""Whether all is there that a container is made from, and its creation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.observed import Created
from orchestra.model.resource import ResourceId
from orchestra.plan.action import CreateContainer, RemoveContainer
from orchestra.plan.images import ready_digest
from orchestra.plan.replace import replacement_reason, shared_with
from orchestra.plan.verdict import Blocked
from orchestra.plan.volumes import named_volumes

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.observed import Container
    from orchestra.plan.situation import Situation


def is_unfinished(container: Container) -> bool:
    """Whether its creation was interrupted or has failed; creating it again completes it."""
    return not container.config_hash and isinstance(container.status, Created)


def create(situation: Situation, spec: ContainerSpec) -> CreateContainer | Blocked | None:
    missing = missing_for(situation, spec)
    digest = ready_digest(situation, spec.image_key)
    if missing or digest is None:
        return Blocked(ResourceId.container(spec.name), f"waits for {', '.join(map(str, missing))}", missing)
    seen = situation.observed.containers.get(spec.name)
    new = f"stands in while containers of {spec.service} are replaced" if spec.stand_in else "does not exist"
    return CreateContainer(spec, digest, new if seen is None else "is not complete")


def missing_for(situation: Situation, spec: ContainerSpec) -> tuple[ResourceId, ...]:
    """The resources that must exist before the container can be created."""
    missing: list[ResourceId] = []
    in_flight = situation.in_flight
    missing += [ResourceId.image(key) for key in spec.image_keys if ready_digest(situation, key) is None]
    for endpoint in spec.endpoints:
        network = ResourceId.network(endpoint.network)
        if (
            endpoint.network not in situation.observed.networks
            or endpoint.network in situation.changed_networks
            or network in in_flight
        ):
            missing.append(network)
    volumes = situation.observed.volumes
    missing += [
        ResourceId.volume(v) for v in named_volumes(spec) if v not in volumes or ResourceId.volume(v) in in_flight
    ]
    for owner in shared_with(situation, spec):
        container = situation.observed.containers.get(owner.name)
        resource = ResourceId.container(owner.name)
        if (
            container is None
            or resource in in_flight
            or is_being_removed(situation, owner.name)
            or replacement_reason(situation, owner, container)
        ):
            missing.append(resource)
    return tuple(missing)


def is_being_removed(situation: Situation, name: str) -> bool:
    resource = ResourceId.container(name)
    begun = situation.in_flight.get(resource)
    return isinstance(begun, RemoveContainer) or any(
        isinstance(action, RemoveContainer) and action.resource == resource for action in situation.ready
    )
