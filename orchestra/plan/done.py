"""When a command has reached what it asked for, and when it never will. Predicates over observed state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.plan.dependency import is_due
from orchestra.plan.images import is_to_be_compared
from orchestra.plan.removal import find_departures
from orchestra.plan.replace import replacement_reason
from orchestra.plan.restart import exit_text, next_run
from orchestra.plan.situation import Situation
from orchestra.plan.verdict import Failed
from orchestra.state.desired import Condition
from orchestra.state.observed import Exited, HealthStatus, Running

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from orchestra.plan.plan import Plan
    from orchestra.state.desired import ContainerSpec, Desired
    from orchestra.state.observed import Observed


def is_up(desired: Desired, observed: Observed, wait: bool, services: Collection[str] = ()) -> bool:
    """Whether ``up`` is done: everything is what the file asks for, has been started, and what must leave has left.

    wait: each container must also run, and be healthy when it has a healthcheck; a service that others need
    ``service_completed_successfully`` counts when it ended with 0. services: only these; empty is all.
    """
    situation = Situation(desired, observed, {}, 0.0)
    leaving = find_departures(situation)
    if any(
        not departure.keep and _selected(observed.containers[n].service, services) for n, departure in leaving.items()
    ):
        return False
    awaited = _awaited(desired)
    return all(_spec_is_up(situation, spec, wait, awaited) for spec in _chosen(desired, services))


def _spec_is_up(situation: Situation, spec: ContainerSpec, wait: bool, awaited: frozenset[str]) -> bool:
    container = situation.observed.containers.get(spec.name)
    if spec.service in situation.stopped:
        return container is None or not isinstance(container.status, Running)
    if container is None or replacement_reason(situation, spec, container) or is_due(situation, spec, container):
        return False
    if is_to_be_compared(situation, spec.image_key):
        return False
    match container.status:
        case Running(health=health):
            if not wait:
                return True
            if spec.service in awaited:
                return False
            return container.healthcheck is None or health.status is HealthStatus.HEALTHY
        case Exited() as ended:
            return not wait or (spec.service in awaited and ended.succeeded)
        case _:
            return False


def is_down(desired: Desired, observed: Observed) -> bool:
    """Whether ``down`` is done: no container, network or (when asked) volume is left that may be removed."""
    situation = Situation(desired, observed, {}, 0.0)
    if find_departures(situation):
        return False
    used = {network for container in observed.containers.values() for network in container.networks}
    if any(not network.external and network.name not in used for network in observed.networks.values()):
        return False
    if not desired.request.remove_volumes:
        return True
    kept = {volume for container in observed.containers.values() for volume in container.volumes}
    kept |= {spec.name for spec in desired.volumes if spec.external}
    return all(volume.external or volume.name in kept for volume in observed.volumes.values())


def never_down(observed: Observed, plan: Plan, services: Collection[str]) -> tuple[Failed, ...]:
    """Why the containers of these services cannot be removed any more; empty as long as they can."""
    containers = observed.containers.values()
    doomed = {f"container/{container.name}" for container in containers if container.service in services}
    return tuple(failure for failure in plan.failed if failure.resource in doomed)


def never_up(
    desired: Desired, observed: Observed, plan: Plan, wait: bool, services: Collection[str] = ()
) -> tuple[Failed, ...]:
    """Why ``up`` cannot succeed any more; empty as long as it can.

    Causes come before what fails because of them. wait: a container that ended for good or is unhealthy counts too,
    in the words of Docker Compose. services: only failures that concern these; empty is all.
    """
    concerned = _concerned(desired, services)
    failures = [failure for failure in plan.failed if concerned is None or failure.resource in concerned]
    if wait:
        awaited = _awaited(desired)
        situation = Situation(desired, observed, {}, 0.0)
        known = {failure.resource for failure in failures}
        for spec in _chosen(desired, services):
            resource = f"container/{spec.name}"
            error = _lost(situation, spec, awaited)
            if error and resource not in known:
                failures.append(Failed(resource, error))
    return tuple(failures)


def _lost(situation: Situation, spec: ContainerSpec, awaited: frozenset[str]) -> str | None:
    container = situation.observed.containers.get(spec.name)
    if container is None or spec.service in situation.stopped:
        return None
    if replacement_reason(situation, spec, container) or is_due(situation, spec, container):
        return None
    match container.status:
        case Running(health=health) if health.status is HealthStatus.UNHEALTHY and container.healthcheck:
            return f"container {spec.name} is unhealthy"
        case Exited() as ended if not (spec.service in awaited and ended.succeeded):
            if next_run(spec.restart, container, ended) is None:
                return f"container {spec.name} {exit_text(ended)}"
    return None


def _awaited(desired: Desired) -> frozenset[str]:
    """Services that another one needs to complete."""
    return frozenset(
        dependency.service
        for spec in desired.containers
        for dependency in spec.depends_on
        if dependency.condition is Condition.COMPLETED
    )


def _selected(service: str, services: Collection[str]) -> bool:
    return not services or service in services


def _chosen(desired: Desired, services: Collection[str]) -> Iterable[ContainerSpec]:
    return (spec for spec in desired.containers if _selected(spec.service, services))


def _concerned(desired: Desired, services: Collection[str]) -> frozenset[str] | None:
    """Resources of these services and of everything they depend on; None is every resource."""
    if not services:
        return None
    wanted = set(services)
    pending = list(services)
    while pending:
        service = pending.pop()
        for spec in desired.containers:
            if spec.service == service:
                new = {dependency.service for dependency in spec.depends_on} - wanted
                wanted |= new
                pending += new
    resources: set[str] = set()
    for spec in desired.containers:
        if spec.service in wanted:
            resources |= {f"container/{spec.name}", f"image/{spec.image_key}"}
            resources |= {f"network/{endpoint.network}" for endpoint in spec.endpoints}
            resources |= {f"volume/{mount.source}" for mount in spec.mounts if mount.source}
    return frozenset(resources)
