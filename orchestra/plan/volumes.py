"""When named volumes are created, and the only case in which they are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.mount import VolumeMount
from orchestra.model.resource import ResourceId
from orchestra.plan.action import CreateContainer, CreateVolume, RemoveVolume
from orchestra.plan.verdict import Blocked, Failed

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired, VolumeSpec
    from orchestra.model.observed import Observed, Volume
    from orchestra.plan.situation import Situation


def named_volumes(spec: ContainerSpec) -> tuple[str, ...]:
    """The host names of the named volumes that a container mounts."""
    return tuple(mount.name for mount in spec.mounts if isinstance(mount, VolumeMount) and mount.name)


def plan_volume(situation: Situation, spec: VolumeSpec) -> CreateVolume | Failed | None:
    """Create a missing volume. One whose definition changed is left alone: replacing it would lose its data."""
    resource = ResourceId.volume(spec.name)
    if situation.going_down or resource in situation.in_flight or spec.name in situation.observed.volumes:
        return None
    if spec.external:
        return Failed(
            resource,
            f'external volume "{spec.name}" not found',
            f"run orchestra volume create {spec.name}, or take `external` away",
        )
    return CreateVolume(spec, "does not exist")


def changed_volumes(desired: Desired, observed: Observed) -> tuple[str, ...]:
    """The names of the stack's volumes that were made from another definition."""
    seen = observed.volumes
    return tuple(
        spec.name
        for spec in desired.volumes
        if not spec.external and spec.name in seen and seen[spec.name].config_hash not in ("", spec.config_hash)
    )


def plan_volume_removal(situation: Situation, volume: Volume) -> RemoveVolume | Blocked | None:
    """Remove a volume if the whole stack goes down with its volumes, and the stack owns it and it is unused."""
    if not (situation.going_down and situation.request.remove_volumes) or volume.external:
        return None
    if any(spec.external and spec.name == volume.name for spec in situation.desired.volumes):
        return None
    resource = ResourceId.volume(volume.name)
    if resource in situation.in_flight:
        return None
    users = [c.name for c in situation.observed.containers.values() if c.uses_volume(volume.name)]
    users += [
        action.spec.name
        for action in situation.in_flight.values()
        if isinstance(action, CreateContainer) and volume.name in named_volumes(action.spec)
    ]
    if not users:
        return RemoveVolume(volume.name, "asked to be removed with the stack")
    if any(name not in situation.leaving and ResourceId.container(name) not in situation.in_flight for name in users):
        situation.hopeless.add(resource)
    return Blocked(resource, f"in use by {', '.join(sorted(set(users)))}", situation.resources(users))
