"""Turns commands into desired states, from the file and the options. ``plan`` uses the same functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.desired import Request
from orchestra.model.wish import Goal, Recreate, Wish
from orchestra.plan.revision import compare
from orchestra.plan.selection import merge_desired
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from orchestra.model.desired import Desired
    from orchestra.model.names import ServiceName
    from orchestra.model.request import Changes


def desire(
    current: Desired | None, new: Desired, changes: Changes, at: float, *, asked_at: float | None = None
) -> Desired:
    """The desired state after ``up``. current: the one until now; new: the one of the file; at: Unix seconds.

    asked_at: when the command was given, if earlier: services that were stopped since then stay stopped.
    Raises UserError if that conflicts with the services that stay.
    """
    if changes.pull:
        new = replace(new, images=tuple(replace(image, pull_policy=changes.pull) for image in new.images))
    taken = tuple(service for service in new.services if not changes.services or service in changes.services)
    named = tuple(service for service in taken if not changes.named or service in changes.named)
    dependencies = tuple(service for service in taken if service not in named)
    replaced = frozenset(taken if changes.recreate_dependencies else named)

    def wish(service: ServiceName) -> Wish:
        before = current.wish(service) if current else Wish()
        if asked_at is not None and before.rests and before.at > asked_at:
            return before
        recreate = changes.recreate
        if recreate is not Recreate.NEVER and service in dependencies:
            recreate = Recreate.ALWAYS if changes.recreate_dependencies else Recreate.CHANGED
        return Wish(
            at=at,
            goal=Goal.RUN if changes.start else Goal.CREATE,
            recreate=recreate,
            renew_volumes=changes.renew_volumes and service in replaced,
            alone=changes.alone and service in changes.named,
        )

    request = Request(at, changes.stop_timeout, remove_orphans=changes.remove_orphans)
    asked = replace(new, request=request, wishes={service: wish(service) for service in taken})
    as_they_are = frozenset(dependencies).difference(changes.scaled)
    merged = merge_desired(current, asked, frozenset(changes.services), as_they_are)
    failing = current.failing.items() if current else ()
    return replace(merged, failing={service: each for service, each in failing if service not in taken})


def with_wishes_of(current: Desired, new: Desired) -> Desired:
    """What an edit asks for, beyond the definitions in ``new``: only services that it changes are asked for anew, so
    completed ones do not run again; and those that a command stopped stay stopped.
    """
    changed = {each.resource.name for each in compare(current, new)}
    names = {spec.name: spec.service for spec in (*current.of_services, *new.of_services)}
    touched = {service for name, service in names.items() if name in changed}

    def keeps(service: ServiceName) -> bool:
        return service in current.wishes and (current.wish(service).rests or service not in touched)

    wishes = {service: current.wish(service) if keeps(service) else wish for service, wish in new.wishes.items()}
    return replace(new, wishes=wishes, apart=current.apart)


def start(current: Desired, services: Collection[ServiceName], at: float) -> Desired:
    """The desired state after ``start`` of these services: nothing is replaced. at: Unix seconds."""
    return _wished(current, services, Wish(at, recreate=Recreate.NEVER))


def restart(current: Desired, services: Collection[ServiceName], timeout: float | None, at: float) -> Desired:
    """The desired state after ``restart`` of these services: nothing is replaced.

    timeout: in seconds; None for the stop_grace_period of each container. at: Unix seconds.
    """
    return _wished(current, services, Wish(at, recreate=Recreate.NEVER, restart=True, stop_timeout=timeout))


def after_restart(current: Desired, at: float) -> Desired:
    """The desired state once every restart is done, so that a clock that is set back causes no further restart.

    at: Unix time of the command.
    """

    def done(wish: Wish) -> Wish:
        return replace(wish, restart=False) if wish.restart and wish.at == at else wish

    return replace(
        current,
        wishes={service: done(wish) for service, wish in current.wishes.items()},
        apart={name: done(wish) for name, wish in current.apart.items()},
    )


def stop(current: Desired, services: Collection[ServiceName], timeout: float | None, at: float) -> Desired:
    """The desired state after ``stop`` of these services. timeout: in seconds; None for the one until now.

    at: Unix seconds.
    """
    wishes = {}
    for service in services:
        before = current.wish(service)
        held = before.stop_timeout if timeout is None else timeout
        wishes[service] = replace(before, at=at, goal=Goal.STOP, restart=False, stop_timeout=held)
    return replace(current, wishes={**current.wishes, **wishes})


def leave(current: Desired, services: Collection[ServiceName], at: float) -> Desired:
    """The desired state when containers of these services are about to be killed: none is started again.

    Stopped services stay stopped. at: Unix seconds.
    """
    running = [service for service in services if current.wish(service).goal is not Goal.STOP]
    return _wished(current, running, Wish(at, Goal.LEAVE))


def apart(current: Desired, after: Desired, names: Collection[str]) -> Desired:
    """What a command about services has asked for, for these replicas of them alone; without names for all.

    current, after: the desired state before and after it.
    """
    if not names:
        return after
    asked = {spec.name: after.wish(spec.service) for spec in current.of_services if spec.name in names}
    return replace(after, wishes=current.wishes, apart={**current.apart, **asked})


def without_containers(current: Desired, names: Collection[str], services: Collection[str]) -> Desired:
    """The desired state without these containers of these services. Networks stay."""
    kept = tuple(spec for spec in current.containers if spec.name not in names)
    keys = {key for spec in kept for key in spec.image_keys}
    return replace(
        current,
        disabled=tuple(service for service in current.disabled if service not in services),
        containers=kept,
        images=tuple(image for image in current.images if image.key in keys),
    )


def _wished(current: Desired, services: Iterable[ServiceName], wish: Wish) -> Desired:
    return replace(current, wishes={**current.wishes, **dict.fromkeys(services, wish)})
