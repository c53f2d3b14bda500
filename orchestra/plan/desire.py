"""What the command line of ``up`` asks for beyond the file, and what is desired then. ``plan`` shows the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.desired import Request
from orchestra.model.wish import Recreate, Wish
from orchestra.plan.selection import merge_desired
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.model.desired import Desired
    from orchestra.model.names import ServiceName
    from orchestra.model.request import Changes


def desire(
    current: Desired | None, new: Desired, changes: Changes, at: float, *, asked_at: float | None = None
) -> Desired:
    """What is desired after ``up``. current: what was until now; new: what the file says; at: Unix seconds.

    asked_at: when the command was given, if that was before: services that were asked to stop since stay stopped.
    Raises UserError when that cannot be had beside what stays.
    """
    if changes.pull:
        new = replace(new, images=tuple(replace(image, pull_policy=changes.pull) for image in new.images))
    taken = tuple(service for service in new.services if not changes.services or service in changes.services)
    named = tuple(service for service in taken if not changes.named or service in changes.named)
    dependencies = tuple(service for service in taken if service not in named)
    replaced = frozenset(taken if changes.recreate_dependencies else named)

    def wish(service: ServiceName) -> Wish:
        before = current.wish(service) if current else Wish()
        if asked_at is not None and before.stopped and before.at > asked_at:
            return before
        recreate = changes.recreate
        if recreate is not Recreate.NEVER and service in dependencies:
            recreate = Recreate.ALWAYS if changes.recreate_dependencies else Recreate.CHANGED
        return Wish(
            at=at,
            recreate=recreate,
            renew_volumes=changes.renew_volumes and service in replaced,
            alone=changes.alone and service in changes.named,
        )

    request = Request(at, changes.stop_timeout, remove_orphans=changes.remove_orphans)
    asked = replace(new, request=request, wishes={service: wish(service) for service in taken})
    as_they_are = frozenset(dependencies).difference(changes.scaled)
    return merge_desired(current, asked, frozenset(changes.services), as_they_are)


def stop(current: Desired, services: Collection[str], timeout: float | None, at: float) -> Desired:
    """What is desired after these services, or all, were asked to stop. timeout: in seconds; None for what held.

    at: Unix seconds.
    """
    chosen = {spec.service for spec in current.containers if not services or spec.service in services}
    wishes = {service: replace(current.wish(service), at=at, stopped=True) for service in sorted(chosen)}
    request = current.request if timeout is None else replace(current.request, stop_timeout=timeout)
    return replace(current, request=request, wishes={**current.wishes, **wishes})
