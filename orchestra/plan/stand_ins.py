"""Stand-ins: containers beyond the replicas of a service that run while those are replaced (``order: start-first``).

A replica keeps its name, so its successor cannot run beside it. Instead as many further containers as may be replaced
at a time are made from the new definition first. Once they are ready, replicas are replaced as with ``stop-first``, and
the stand-ins go when the last one is ready: never do fewer than all replicas serve. A new version that does not work
fails in a stand-in, before any replica was touched.

No record of an update is needed for this: stand-ins are wanted while there is something to replace.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from orchestra.model.names import ContainerName
from orchestra.model.observed import Running
from orchestra.model.start_first import starts_first
from orchestra.model.update import Ending
from orchestra.model.wish import Goal
from orchestra.plan.earlier import is_checked
from orchestra.plan.progress import progress_of
from orchestra.plan.replace import replacement_reason
from orchestra.plan.situation import Situation
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.model.container import ContainerSpec, Endpoint, Port
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed
    from orchestra.model.resource import ResourceId
    from orchestra.plan.action import Action
    from orchestra.plan.situation import Layout

NUMBER = "com.docker.compose.container-number"


def with_stand_ins(
    desired: Desired,
    observed: Observed,
    now: float,
    layout: Layout | None = None,
    in_flight: Mapping[ResourceId, Action] | None = None,
) -> Desired:
    """``desired`` with the stand-ins that it needs in this world; the same object if it needs none. layout: that of
    ``desired``, if there is one. in_flight: the actions under way: a replica that is being drained needs one.
    """
    if not any(starts_first(spec, desired.stack) for spec in desired.containers):
        return desired
    situation = Situation(desired, observed, in_flight or {}, now, layout)
    wanted = [
        stand_in
        for service, replicas in situation.replicas.items()
        if starts_first(replicas[0], desired.stack) and situation.wish(replicas[0].service).goal is Goal.RUN
        if _are_needed(situation, service)
        for stand_in in _stand_ins(replicas, situation.observed)
    ]
    return replace(desired, containers=(*desired.containers, *wanted)) if wanted else desired


def _are_needed(situation: Situation, service: str) -> bool:
    replicas = situation.replicas[service]
    there = any(seen.stand_in and seen.service == service for seen in situation.observed.containers.values())
    if there:
        return not progress_of(situation, service).is_over
    failing = situation.desired.failing.get(replicas[0].service)
    if failing is not None and failing.ending is Ending.PAUSED:
        return False
    return any(_is_to_be_replaced(situation, spec) for spec in replicas)


def _is_to_be_replaced(situation: Situation, spec: ContainerSpec) -> bool:
    """Whether it runs, and is known to have a successor that can start."""
    seen = situation.observed.containers.get(spec.name)
    if seen is None or not isinstance(seen.status, Running) or not is_checked(situation, spec):
        return False
    return replacement_reason(situation, spec, seen) is not None


def _stand_ins(replicas: list[ContainerSpec], observed: Observed) -> list[ContainerSpec]:
    """With the next numbers that no other container has: one that is to leave is not made into a stand-in."""
    first, count = replicas[0], len(replicas)
    assert first.update is not None
    number = min(first.update.parallelism or count, count)
    ports = _fixed_ports(replicas)
    following = (_stand_in(first, index, ports) for index in itertools.count(count + 1))
    return list(itertools.islice((spec for spec in following if _is_free(spec, observed)), number))


def _is_free(spec: ContainerSpec, observed: Observed) -> bool:
    seen = observed.containers.get(spec.name)
    return seen is None or seen.stand_in


def _stand_in(first: ContainerSpec, index: int, ports: tuple[Port, ...]) -> ContainerSpec:
    return replace(numbered(first, index), stand_in=True, ports=ports)


def numbered(spec: ContainerSpec, index: int) -> ContainerSpec:
    """The replica of this number that is like ``spec``, which has the number in its name. Its ports are the same."""
    name = ContainerName(f"{spec.name.removesuffix(str(spec.index))}{index}")

    def own(init: ContainerSpec) -> ContainerSpec:
        """Init containers that the replicas share are the same."""
        if not init.name.startswith(spec.name):
            return init
        return replace(init, name=ContainerName(name + init.name.removeprefix(spec.name)), initializes=name)

    return replace(
        spec,
        name=name,
        index=index,
        endpoints=tuple(_endpoint(endpoint, spec.name, name) for endpoint in spec.endpoints),
        labels={**spec.labels, **({NUMBER: str(index)} if NUMBER in spec.labels else {})},
        pre_start=tuple(map(own, spec.pre_start)),
    )


def _endpoint(endpoint: Endpoint, old: str, new: str) -> Endpoint:
    return replace(endpoint, aliases=tuple(new if alias == old else alias for alias in endpoint.aliases))


def _fixed_ports(replicas: list[ContainerSpec]) -> tuple[Port, ...]:
    """Every host port that the file names: each has to lead somewhere while its replica is replaced."""
    found: dict[tuple[object, ...], Port] = {}
    for port in (port for spec in replicas for port in spec.ports if port.published):
        found.setdefault((port.published, port.host_ip, port.protocol), port)
    return tuple(found.values())
