"""When a container must make way for a new one of the same name.

Only what a container was created from counts: its definition, its image, its mounts, and the namespaces it shares.
Changed files in bind mounts do not count, and neither do other changes of its neighbours. Networks may change while it
runs, see ``connection``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.wish import Recreate
from orchestra.plan.volumes import named_volumes

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.observed import Container
    from orchestra.plan.situation import Situation


def replacement_reason(situation: Situation, spec: ContainerSpec, container: Container) -> str | None:
    """Why ``container`` does not match ``spec``, in words; None if it does, or if it must stay as it is."""
    if container.damage:
        return container.damage
    if container.service != spec.service:
        return f"it belongs to service {container.service}"
    drained = "it has given up its names and ports" if container.drained_at else None
    if situation.is_never_replaced(spec, container):
        return drained
    if container.stand_in and not spec.stand_in:
        return "it stood in for another"
    if container.config_hash != spec.config_hash:
        return "its definition changed"
    image = situation.observed.images.get(spec.image_key)
    if image and image.digest and container.image_digest and image.digest != container.image_digest:
        return f"image {spec.image} changed"
    for key in spec.mounted_image_keys:
        image, digest = situation.observed.images.get(key), container.mounted_images.get(key)
        if image and image.digest and digest and image.digest != digest:
            return f"image {key}, which it mounts, changed"
    wish = situation.replica_wish(spec)
    if wish.recreate is Recreate.ALWAYS and container.created_at < wish.at:
        return "asked to be recreated"
    if wish.renew_volumes and _is_to_be_renewed(situation, spec, container):
        return "its anonymous volumes are to be renewed"
    if container.volumes and spec.mounts:
        for volume in named_volumes(spec):
            if volume not in container.volumes:
                return f"volume {volume} is not mounted"
    for owner in shared_with(situation, spec):
        seen = situation.observed.containers.get(owner.name)
        if seen and is_outlived(seen, container):
            lends = owner.service in [getattr(source.whose, "service", None) for source in spec.volumes_from]
            return f"it {'mounts volumes of' if lends else 'shares a namespace with'} {owner.name}, which was replaced"
    return drained


def _is_to_be_renewed(situation: Situation, spec: ContainerSpec, container: Container) -> bool:
    anonymous = set(container.volumes).difference(named_volumes(spec))
    return bool(anonymous) and container.created_at < situation.replica_wish(spec).at


def shared_with(situation: Situation, spec: ContainerSpec) -> list[ContainerSpec]:
    """The containers whose namespaces ``spec`` joins by ``service:NAME`` or whose volumes it mounts.

    The first replica of each service.
    """
    if not situation.is_shared:
        return []
    return [situation.replicas[service][0] for service in spec.lenders if situation.replicas.get(service)]


def is_outlived(owner: Container, container: Container) -> bool:
    """Whether ``container`` was made with a container that ``owner`` has replaced."""
    if known := container.made_with.get(owner.name):
        return known != owner.id
    # It is only predicted, or an earlier version of Orchestra, which did not write that down, has made it.
    return container.created_at < owner.created_at
