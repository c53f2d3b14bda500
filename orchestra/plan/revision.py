"""When a stack becomes another revision, what that changes, and the desired state that leads back to one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.container import ContainerSpec
from orchestra.model.desired import Request
from orchestra.model.resource import ResourceId
from orchestra.named_tuple import NamedTuple
from orchestra.plan.difference import Change, differences
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.model.container import Dependency
    from orchestra.model.desired import Desired, NetworkSpec, VolumeSpec

    Spec = NetworkSpec | VolumeSpec | ContainerSpec


class Difference(NamedTuple):
    """One network, volume or container. verb: added, removed or changed. changes: of its attributes."""

    resource: ResourceId
    verb: str
    changes: tuple[Change, ...] = ()


def definition(desired: Desired) -> Desired:
    """What the file asks for: without what single commands ask for, and without their containers."""
    return replace(
        desired,
        containers=desired.of_services,
        request=Request(),
        wishes={},
        earlier=(),
        earlier_networks=(),
        finished=(),
        failing={},
    )


def compare(before: Desired | None, after: Desired) -> list[Difference]:
    """What is different, in the order of ``after``; then what is no longer there. Places in the file do not count."""
    old = _resources(before) if before else {}
    new = _resources(after)
    found = [
        Difference(resource, "changed" if resource in old else "added", _changes(old.get(resource), spec))
        for resource, spec in new.items()
        if resource not in old or _essence(old[resource]) != _essence(spec)
    ]
    return found + [Difference(resource, "removed") for resource in old if resource not in new]


def describe(differences: Iterable[Difference]) -> tuple[str, ...]:
    """Each in a few words: ``shop-web-1 changed``."""
    return tuple(f"{each.resource.name} {each.verb}" for each in differences)


def with_images(desired: Desired, references: Mapping[str, str]) -> Desired:
    """The same with other references for these images. references: by reference."""

    def other(spec: ContainerSpec) -> ContainerSpec:
        return replace(
            spec, image=references.get(spec.image, spec.image), pre_start=tuple(other(init) for init in spec.pre_start)
        )

    return replace(
        desired,
        containers=tuple(map(other, desired.containers)),
        images=tuple(
            replace(image, reference=references[image.reference], pull_policy="missing")
            if image.reference in references
            else image
            for image in desired.images
        ),
    )


def _resources(desired: Desired) -> dict[ResourceId, Spec]:
    return {
        **{ResourceId.network(network.name): network for network in desired.networks},
        **{ResourceId.volume(volume.name): volume for volume in desired.volumes},
        **{ResourceId.container(container.name): container for container in desired.of_services},
    }


def _essence(spec: Spec) -> tuple[object, ...]:
    """Everything that makes it what it is. The hash of a container covers only what it has to be replaced for."""
    if not isinstance(spec, ContainerSpec):
        return (spec.config_hash,)
    return spec.service, spec.config_hash, spec.image_keys, spec.depends_on, spec.endpoints, spec.update, spec.rollback


def _changes(before: Spec | None, after: Spec) -> tuple[Change, ...]:
    if isinstance(before, ContainerSpec) and isinstance(after, ContainerSpec):
        changes = differences(before, after)
        if before.depends_on != after.depends_on:
            changes += (Change("depends_on", _conditions(before.depends_on), _conditions(after.depends_on)),)
        return changes
    return ()


def _conditions(dependencies: Iterable[Dependency]) -> str | None:
    return ", ".join(f"{each.service} ({each.condition})" for each in dependencies) or None
