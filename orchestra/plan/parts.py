"""The parts of a stack that have nothing to do with each other, so that an event in one costs nothing in the others.

A part are the containers that depend on each other, or share namespaces or volumes of each other, with what they use.
While nothing is to be done about networks, volumes and images, and no container is to leave or to be updated, the plan
of a stack is the sum of the plans of its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from orchestra.model.names import VolumeName
from orchestra.model.resource import ResourceId
from orchestra.model.sharing import OfService
from orchestra.model.start_first import starts_first
from orchestra.plan.images import plan_image
from orchestra.plan.networks import differs
from orchestra.plan.plan import Plan, plan
from orchestra.plan.situation import Layout, Situation
from orchestra.plan.volumes import named_volumes
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed
    from orchestra.plan.action import Action

N = TypeVar("N", bound=str)
T = TypeVar("T")


class Part(Record):
    """A part as a stack of its own. names: of its containers and init containers."""

    desired: Desired
    names: tuple[str, ...]
    layout: Layout


def split(desired: Desired) -> tuple[Part, ...]:
    """The parts of a stack, in the order of their first containers; none if it can only be planned as a whole."""
    if desired.earlier or desired.earlier_networks or desired.failing or desired.is_down:
        return ()
    if desired.one_offs or any(starts_first(spec, desired.stack) for spec in desired.containers):
        return ()
    groups: dict[str, list[ContainerSpec]] = {}
    leaders = _leaders(desired)
    for spec in desired.containers:
        groups.setdefault(leaders[spec.service], []).append(spec)
    networks = {spec.name: spec for spec in desired.networks}
    volumes = {spec.name: spec for spec in desired.volumes}
    images = {spec.key: spec for spec in desired.images}
    parts = []
    for specs in groups.values():
        own = replace(
            desired,
            containers=tuple(specs),
            networks=_used(networks, (each.network for spec in specs for each in spec.endpoints)),
            volumes=_used(volumes, (name for spec in specs for name in map(VolumeName, named_volumes(spec)))),
            images=_used(images, (key for spec in specs for key in spec.image_keys)),
        )
        parts.append(Part(own, tuple(dict.fromkeys(name for spec in specs for name in _names(spec))), Layout(own)))
    return tuple(parts)


def _leaders(desired: Desired) -> dict[str, str]:
    """By service, one service of its part."""
    above: dict[str, str] = {}

    def leader(service: str) -> str:
        while (next_above := above.get(service, service)) != service:
            above[service] = above.get(next_above, next_above)
            service = next_above
        return service

    for spec in desired.containers:
        for other in _related(spec):
            above[leader(other)] = leader(spec.service)
    return {spec.service: leader(spec.service) for spec in desired.containers}


def _related(spec: ContainerSpec) -> Iterator[str]:
    yield from (dependency.service for dependency in spec.depends_on)
    whose = (spec.network_mode, spec.pid, spec.ipc, *(source.whose for source in spec.volumes_from))
    yield from (each.service for each in whose if isinstance(each, OfService))


def _names(spec: ContainerSpec) -> Iterator[str]:
    yield spec.name
    yield from (init.name for init in spec.pre_start)


def _used(specs: Mapping[N, T], names: Iterable[N]) -> tuple[T, ...]:
    return tuple(specs[name] for name in dict.fromkeys(names) if name in specs)


def is_calm(desired: Desired, observed: Observed) -> bool:
    """Whether all networks, volumes and images are as they should be."""
    networks = observed.networks
    declared = {spec.name for spec in desired.networks}
    if any(seen.loss or (desired.request.remove_orphans and name not in declared) for name, seen in networks.items()):
        return False
    if any(spec.name not in networks or differs(spec, networks[spec.name]) for spec in desired.networks):
        return False
    if any(spec.name not in observed.volumes for spec in desired.volumes):
        return False
    situation = Situation(replace(desired, containers=()), observed, {}, 0.0)
    return all(plan_image(situation, spec) is None for spec in desired.images)


def plan_part(part: Part, observed: Observed, in_flight: Mapping[ResourceId, Action], now: float) -> Plan:
    """What a plan of the whole stack has about this part, while the stack is calm."""
    containers, networks = observed.containers, observed.networks
    seen = replace(
        observed,
        containers={name: containers[name] for name in part.names if name in containers},
        networks={spec.name: networks[spec.name] for spec in part.desired.networks},
    )
    resources = map(ResourceId.container, part.names)
    under_way = {each: in_flight[each] for each in resources if each in in_flight}
    return plan(part.desired, seen, under_way, now, part.layout)


def together(plans: Iterable[Plan]) -> Plan:
    """One plan of those of all parts that have anything to say; the others have converged."""
    plans = list(plans)
    return Plan(
        ready=tuple(action for each in plans for action in each.ready),
        blocked=tuple(blocked for each in plans for blocked in each.blocked),
        wake_at=min((each.wake_at for each in plans if each.wake_at is not None), default=None),
        converged=all(each.converged for each in plans),
        failed=tuple(failed for each in plans for failed in each.failed),
        hopeless=frozenset().union(*(each.hopeless for each in plans)),
    )
