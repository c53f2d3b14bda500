"""The containers of one-off commands: what is desired when one is asked for, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.errors import UserError
from orchestra.model.desired import Request
from orchestra.model.observed import Created
from orchestra.plan.desire import desire, without_containers
from orchestra.plan.selection import merge_chosen, with_one_off
from orchestra.record import replace

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed
    from orchestra.model.request import Changes

REMEMBERED = 100
"""Ids of commands that are over: a client asks again within moments."""


def begin_run(current: Desired, new: Desired, name: str, changes: Changes, at: float, *, asked_at: float) -> Desired:
    """What is desired after the container of this name, which ``new`` holds, was asked for; the same if it was before.

    changes: of the services that it depends on, where it has any. at, asked_at: as in ``desire``. Raises UserError when
    another container has the name.
    """
    spec = next((each for each in new.one_offs if each.name == name), None)
    if spec is None or spec.one_off is None:
        raise UserError(f"the request holds no container {name}")
    before = current.container(name)
    known = before.one_off.id if before is not None and before.one_off is not None else ""
    if spec.one_off.id in (known, *current.finished):
        return current
    if before is not None or any(each.name == name for each in new.of_services):
        raise name_is_taken(name)
    if current.is_down and current.request.at > asked_at:
        return current
    spec = replace(spec, one_off=replace(spec.one_off, at=at))
    if changes.pull:
        new = replace(new, images=tuple(replace(image, pull_policy=changes.pull) for image in new.images))
    others = replace(new, containers=new.of_services)
    if changes.services:
        asked = desire(current, others, changes, at, asked_at=asked_at)
    else:
        request = Request(at, remove_orphans=changes.remove_orphans)
        asked = merge_chosen(current, replace(others, request=request), frozenset())
    again = {image.key: image for image in new.images if changes.pull and image.key == spec.image_key}
    asked = replace(asked, images=tuple(again.get(image.key, image) for image in asked.images))
    return with_one_off(asked, spec, new)


def after_runs(current: Desired, observed: Observed) -> Desired:
    """The same with what is seen of one-off commands: which have been started, and which are gone after that."""
    gone = [spec for spec in current.one_offs if _was_started(spec) and spec.name not in observed.containers]
    begun = {spec.name for spec in current.one_offs if not _was_started(spec) and _has_run(spec, observed)}
    if begun:
        current = replace(
            current, containers=tuple(_started(spec) if spec.name in begun else spec for spec in current.containers)
        )
    if gone:
        ids = tuple(spec.one_off.id for spec in gone if spec.one_off is not None)
        less = without_containers(current, [spec.name for spec in gone], ())
        current = replace(less, finished=(*current.finished, *ids)[-REMEMBERED:])
    return current


def without_run(current: Desired, name: str) -> Desired:
    """The same without the container of a one-off command, if that has not been started."""
    spec = current.container(name)
    if spec is None or spec.one_off is None or spec.one_off.started:
        return current
    return without_containers(current, (name,), ())


def without_lost_runs(desired: Desired, booted_at: float) -> Desired:
    """The same without commands that were asked for before the machine was started: their clients are gone."""
    for spec in desired.one_offs:
        if spec.one_off is not None and spec.one_off.at < booted_at:
            desired = without_run(desired, spec.name)
    return desired


def name_is_taken(name: str) -> UserError:
    return UserError(f"the name {name} is in use by another container", hint="choose another, or none, with --name")


def _was_started(spec: ContainerSpec) -> bool:
    return spec.one_off is not None and spec.one_off.started


def _has_run(spec: ContainerSpec, observed: Observed) -> bool:
    container = observed.containers.get(spec.name)
    return container is not None and not isinstance(container.status, Created)


def _started(spec: ContainerSpec) -> ContainerSpec:
    return spec if spec.one_off is None else replace(spec, one_off=replace(spec.one_off, started=True))
