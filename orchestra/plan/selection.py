"""Which services a command affects, and the desired state if it affects only some: the others stay as they were."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from orchestra.errors import UserError
from orchestra.model.desired import Desired
from orchestra.model.sharing import OfService
from orchestra.plan.volumes import named_volumes
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import ImageSpec, Request
    from orchestra.model.names import ServiceName
    from orchestra.model.observed import Observed
    from orchestra.model.wish import Wish


def merge_desired(
    current: Desired | None, new: Desired, services: Collection[str] = (), dependencies: Collection[str] = ()
) -> Desired:
    """The desired state after a command for ``new``, but only for ``services``; empty for every enabled service.

    current: the desired state until now, if there is one. Services that are not selected keep their containers, their
    definitions and the time of their last command; those that the file no longer declares become orphans. If both use a
    network, volume or image, the new definition holds. dependencies: those of ``services`` that were not
    named themselves; none of their containers is removed. Raises UserError if a selected service claims the name of
    a container that another service keeps.
    """
    if not services and not new.disabled:
        return with_one_offs_of(current, new)
    chosen = frozenset(services) or frozenset(new.services).difference(new.disabled)
    return merge_chosen(current, new, chosen, dependencies)


def merge_chosen(
    current: Desired | None, new: Desired, chosen: frozenset[str], dependencies: Collection[str] = ()
) -> Desired:
    """The same, but of no service when ``chosen`` is empty."""
    declared = frozenset(new.services)
    before = current or Desired(new.stack)
    if not before.services:  # no earlier command is known, so everything else stays as it is
        new = replace(new, disabled=tuple(service for service in new.services if service not in chosen))
    selected = tuple(spec for spec in new.containers if spec.service in chosen)
    selected += _further_replicas(before, selected, dependencies)
    kept = tuple(spec for spec in before.of_services if spec.service not in chosen and spec.service in declared)
    _check_names(selected, kept)
    used = {endpoint.network for spec in selected for endpoint in spec.endpoints}
    still_used = {endpoint.network for spec in kept for endpoint in spec.endpoints} - used
    mounted = {name for spec in selected for name in named_volumes(spec)}
    still_mounted = {name for spec in kept for name in named_volumes(spec)} - mounted
    merged = replace(
        new,
        containers=tuple(sorted(selected + kept, key=lambda spec: (spec.rank, spec.service, spec.index))),
        networks=tuple(n for n in new.networks if n.name in used)
        + tuple(n for n in before.networks if n.name in still_used),
        volumes=tuple(v for v in new.volumes if v.name in mounted)
        + tuple(v for v in before.volumes if v.name in still_mounted),
        images=_merge_images(before, new, selected, kept),
        providers=new.providers
        + tuple(p for p in before.providers if p.service not in chosen and p.service in declared),
        wishes={name: wish for name, wish in new.wishes.items() if name in chosen} | _wishes_of(before, kept),
        apart={spec.name: before.apart[spec.name] for spec in kept if spec.name in before.apart},
    )
    return with_one_offs_of(current, merged)


def with_one_offs_of(current: Desired | None, new: Desired) -> Desired:
    """``new`` with the one-off commands that are under way, and what they need beyond it."""
    if current is None or not (current.finished or current.one_offs):
        return new
    new = replace(new, finished=current.finished)
    for spec in current.one_offs:
        new = with_one_off(new, spec, current)
    return new


def with_one_off(desired: Desired, spec: ContainerSpec, origin: Desired) -> Desired:
    """``desired`` with one more container, and with what it needs of ``origin``: nothing that is there is changed."""
    networks = {endpoint.network for endpoint in spec.endpoints}.difference(each.name for each in desired.networks)
    volumes = set(named_volumes(spec)).difference(each.name for each in desired.volumes)
    images = set(spec.image_keys).difference(image.key for image in desired.images)
    return replace(
        desired,
        containers=(*desired.containers, spec),
        networks=desired.networks + tuple(each for each in origin.networks if each.name in networks),
        volumes=desired.volumes + tuple(each for each in origin.volumes if each.name in volumes),
        images=desired.images + tuple(each for each in origin.images if each.key in images),
    )


def without_services(current: Desired, services: Collection[str], request: Request) -> Desired:
    """The desired state after ``down`` of these services; networks go with the last one."""
    kept = tuple(spec for spec in current.containers if spec.service not in services)
    keys = {key for spec in kept for key in spec.image_keys}
    return replace(
        current,
        disabled=tuple(service for service in current.disabled if service not in services),
        containers=kept,
        networks=current.networks if kept else (),
        images=tuple(image for image in current.images if image.key in keys),
        request=request,
        wishes=_wishes_of(current, kept),
    )


def check_lenders(new: Desired, observed: Observed) -> None:
    """Raise UserError if a container is to share what a service has that the command leaves out and has no container.

    As in Docker Compose, such a command changes nothing.
    """
    there = {*(spec.service for spec in new.of_services), *(each.service for each in observed.containers.values())}
    for spec in new.of_services:
        shares = {"network": spec.network_mode, "PID": spec.pid, "IPC": spec.ipc}
        lenders = [
            (f"{kind} namespace", share.service) for kind, share in shares.items() if isinstance(share, OfService)
        ]
        lenders += [("volume", each.whose.service) for each in spec.volumes_from if isinstance(each.whose, OfService)]
        for what, service in lenders:
            if service not in there:
                raise UserError(
                    f"cannot share {what} with service {service}: container missing",
                    hint=f"start {service} first, or leave out --no-deps",
                )


def with_dependents(desired: Desired, services: Collection[str], *, restarted: bool = False) -> frozenset[str]:
    """These services and all that depend on them, directly or not. restarted: only by ``restart: true``."""
    found = set(services)
    while more := {
        spec.service
        for spec in desired.of_services
        if spec.service not in found
        and any(each.service in found and (each.restart or not restarted) for each in spec.depends_on)
    }:
        found |= more
    return frozenset(found)


def with_containers(desired: Desired, services: Collection[str]) -> list[ServiceName]:
    """Those of these services, or of all if there are none, that should have containers."""
    return sorted({spec.service for spec in desired.of_services if not services or spec.service in services})


def to_start(desired: Desired, services: Collection[str]) -> list[ServiceName]:
    """The services that ``start`` concerns: these, or all, and their dependencies. Raises UserError if one has nothing
    to start.
    """
    chosen = with_containers(desired, services)
    if missing := [name for name in services if name not in chosen]:
        raise nothing_to_start(f'service "{missing[0]}"')
    if not chosen:
        raise nothing_to_start(f'stack "{desired.stack}"')
    return with_containers(desired, with_dependencies(desired, chosen))


def nothing_to_start(what: str) -> UserError:
    return UserError(f"{what} has no container to start", hint="run orchestra up -d to create and start containers")


def to_restart(desired: Desired, services: Collection[str], *, alone: bool) -> list[ServiceName]:
    """The services that ``restart`` concerns: these, or all, and without ``alone`` those that restart with them."""
    chosen = with_containers(desired, services)
    if alone or not chosen:
        return chosen
    return with_containers(desired, with_dependents(desired, chosen, restarted=True))


def with_dependencies(desired: Desired, services: Collection[str]) -> frozenset[str]:
    """These services and all that they depend on, directly or not."""
    found = set(services)
    while more := {
        dependency.service
        for spec in desired.containers
        if spec.service in found
        for dependency in spec.depends_on
        if dependency.service not in found
    }:
        found |= more
    return frozenset(found)


def _further_replicas(
    before: Desired, selected: tuple[ContainerSpec, ...], dependencies: Collection[str]
) -> tuple[ContainerSpec, ...]:
    """The containers of dependencies beyond the number in the file, with the definitions they had."""
    count = Counter(spec.service for spec in selected)
    return tuple(s for s in before.of_services if s.service in dependencies and s.index > count[s.service])


def _check_names(selected: tuple[ContainerSpec, ...], kept: tuple[ContainerSpec, ...]) -> None:
    owners = {spec.name: spec.service for spec in kept}
    for spec in selected:
        if spec.name in owners:
            other = owners[spec.name]
            message = f"service {spec.service} cannot have the container name {spec.name}: service {other} still has it"
            raise UserError(message, hint=f"name {other} too, or no service at all")


def _merge_images(
    before: Desired, new: Desired, selected: tuple[ContainerSpec, ...], kept: tuple[ContainerSpec, ...]
) -> tuple[ImageSpec, ...]:
    """Do not check images of kept services again: a new one would replace containers that were not named."""
    keys = {key for spec in selected for key in spec.image_keys}
    still_used = {key for spec in kept for key in spec.image_keys} - keys
    again = tuple(image for image in new.images if image.key in keys)
    quiet = tuple(
        replace(image, pull_policy="missing" if image.pull_policy == "always" else image.pull_policy)
        for image in before.images
        if image.key in still_used
    )
    return again + quiet


def _wishes_of(before: Desired, kept: tuple[ContainerSpec, ...]) -> dict[ServiceName, Wish]:
    """Services that the command does not name keep their last command and its time."""
    return {spec.service: before.wish(spec.service) for spec in kept}
