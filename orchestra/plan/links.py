"""Which planned action comes after which others, and because of what: the edges of a plan's drawing. Pure.

A plan itself has no edges: order emerges from conditions. These are the conditions that can be told from the actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.observed import Verb
from orchestra.model.resource import ResourceId
from orchestra.plan.action import ConnectContainer, CreateContainer
from orchestra.plan.volumes import named_volumes
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed
    from orchestra.plan.action import Action
    from orchestra.plan.preview import Preview

ENDING = (Verb.STOP, Verb.REMOVE)
BEGINNING = (Verb.START, Verb.HOOK)


class Step(Record):
    """One action of a plan. number: of its round, from 1. after: the places of the steps that it follows."""

    verb: Verb
    resource: ResourceId
    reason: str
    number: int
    after: tuple[int, ...] = ()


def steps_of(preview: Preview, desired: Desired, observed: Observed) -> list[Step]:
    """The actions in their order. observed: before the first of them."""
    actions = [(number, action) for number, actions in enumerate(preview.rounds, 1) for action in actions]
    steps: list[Step] = []
    for place, (number, action) in enumerate(actions):
        wanted = {*_needed(action, desired, observed)}
        last: dict[ResourceId, int] = {}  # what came before on one resource comes before its last action, too
        for at, (round_, other) in enumerate(actions[:place]):
            if other.resource == action.resource or (round_ < number and (other.resource, other.verb) in wanted):
                last[other.resource] = at
        steps.append(Step(action.verb, action.resource, action.reason, number, tuple(sorted(last.values()))))
    return steps


def _needed(action: Action, desired: Desired, observed: Observed) -> Iterator[tuple[ResourceId, Verb]]:
    """What has to be done before, if it is to be done at all."""
    name = action.resource.name
    specs: dict[str, ContainerSpec] = {spec.name: spec for spec in desired.containers}
    match action:
        case CreateContainer(spec=spec):
            yield from ((ResourceId.image(key), Verb.PULL) for key in spec.image_keys)
            yield from ((ResourceId.network(each.network), Verb.CREATE) for each in spec.endpoints)
            yield from ((ResourceId.volume(volume), Verb.CREATE) for volume in named_volumes(spec))
        case ConnectContainer(endpoint=endpoint):
            yield ResourceId.network(endpoint.network), Verb.CREATE
        case _ if action.verb in BEGINNING and name in specs:
            yield from _begun_before(specs[name], specs)
        case _ if action.verb in ENDING:
            yield from _ended_before(action, observed)


def _begun_before(spec: ContainerSpec, specs: Mapping[str, ContainerSpec]) -> Iterator[tuple[ResourceId, Verb]]:
    needed = {dependency.service for dependency in spec.depends_on}
    for other in specs.values():
        if other.service in needed or (other.service == spec.service and other.initializes):
            yield from ((ResourceId.container(other.name), verb) for verb in BEGINNING)
    yield from ((ResourceId.container(init.name), Verb.START) for init in spec.pre_start)


def _ended_before(action: Action, observed: Observed) -> Iterator[tuple[ResourceId, Verb]]:
    name = action.resource.name
    removed = observed.containers.get(name)
    for other in observed.containers.values():
        uses = other.uses_network(name) or other.uses_volume(name)
        depends = removed is not None and removed.service in other.depends_on
        if depends or (removed is None and uses):
            yield from ((ResourceId.container(other.name), verb) for verb in ENDING)
