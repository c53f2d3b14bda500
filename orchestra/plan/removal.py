"""Containers that must not run: in which order they stop, and which of them are removed.

The reverse of starting: a container stops once no container that depends on it and has to leave too is running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.health import HealthStatus
from orchestra.model.observed import Created, Exited, Running
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Goal
from orchestra.plan.action import AnonymousVolumes, RemoveContainer, StartContainer
from orchestra.plan.connection import leaves
from orchestra.plan.earlier import inits_of_earlier
from orchestra.plan.hooks import stop
from orchestra.plan.progress import progress_of
from orchestra.plan.rolling import drain
from orchestra.plan.situation import Departure
from orchestra.plan.verdict import Blocked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Container, Observed
    from orchestra.plan.action import DrainContainer, StopContainer
    from orchestra.plan.situation import Situation


def find_departures(situation: Situation) -> dict[str, Departure]:
    """Every observed container that must not run, or not as it is, and why."""
    departures: dict[str, Departure] = {}
    init_containers = {**inits_of_earlier(situation), **situation.init_containers}
    for name, container in situation.observed.containers.items():
        spec = situation.specs.get(name) or init_containers.get(name)
        if spec is None:
            reason = _unwanted(situation, container)
            if reason is not None:
                departures[name] = Departure(reason)
        elif spec.one_off is not None and not (isinstance(container.status, Exited) and spec.one_off.started):
            continue
        elif spec.one_off is not None and _is_over(situation, container):
            departures[name] = Departure("its command has ended, and orphans are removed")
        elif held := _holds_changed(situation, spec, container):
            departures[name] = Departure(f"the definition of network {held} changed")
        elif spec.one_off is None and situation.replica_wish(spec).goal is Goal.STOP:
            departures[name] = Departure("asked to be stopped", keep=True)
    return departures


def _holds_changed(situation: Situation, spec: ContainerSpec, container: Container) -> str | None:
    """A network that has to be made anew and that the container does not leave by itself."""
    if situation.changed_networks.isdisjoint(container.networks):
        return None
    changed = [network for network in container.networks if network in situation.changed_networks]
    if spec.initializes and container.config_hash != spec.config_hash:
        return changed[0]  # it is only made anew with the container that it initializes
    return next((network for network in changed if not leaves(situation, spec, container, network)), None)


def _unwanted(situation: Situation, container: Container) -> str | None:
    if container.one_off and not situation.going_down:
        is_unknown = container.service in situation.disabled and not isinstance(container.status, Created)
        why = "no container waits for it any more" if container.initializes else "its command is not wanted any more"
        return None if is_unknown else why
    if container.service not in situation.declared and not container.one_off:
        return "no service declares it" if situation.request.remove_orphans else None
    if situation.going_down:
        return "the stack goes down"
    if container.service in situation.disabled:
        return None
    if container.stand_in:
        return f"the update of {container.service} is over"
    count = len(situation.replicas.get(container.service, ()))
    return f"{container.service} is scaled to {count}"


def _is_over(situation: Situation, container: Container) -> bool:
    """Whether a one-off command had ended when removing orphans was asked for: as in Docker Compose it is one then."""
    status, request = container.status, situation.request
    return request.remove_orphans and isinstance(status, Exited) and status.finished_at <= request.at


def orphans(desired: Desired, observed: Observed) -> tuple[str, ...]:
    """Names of the stack's containers that belong to no declared service; those of one-off commands once they ended."""
    declared = frozenset(desired.services)
    wanted = {spec.name for spec in desired.of_services}
    return tuple(
        sorted(
            container.name
            for container in observed.containers.values()
            if container.service not in declared
            and container.name not in wanted
            and (isinstance(container.status, Exited) or not container.one_off)
        )
    )


def plan_departures(situation: Situation) -> Iterator[DrainContainer | StopContainer | RemoveContainer | Blocked]:
    """The next step of every leaving container; among the replicas of a service, the highest index first."""
    if not situation.leaving:
        return
    containers = [situation.observed.containers[name] for name in situation.leaving]
    holders = _holders(situation, containers)
    for container in sorted(containers, key=lambda c: (c.service, -c.index, c.name)):
        resource = ResourceId.container(container.name)
        if resource in situation.in_flight:
            continue
        departure = situation.leaving[container.name]
        replaces = _comes_again(situation, container.name) and not departure.keep
        if not isinstance(container.status, Running):
            if not departure.keep:
                fate = _fate_of_volumes(situation, container)
                yield RemoveContainer(container.name, fate, departure.reason, replaces=replaces)
            continue
        held_by = holders.get(container.service, [])
        if held_by:
            reason = f"{departure.reason}; waits for {', '.join(held_by)} to stop"
            yield Blocked(resource, reason, situation.resources(held_by))
        else:
            drained = _drain(situation, container, departure.reason) if container.stand_in else None
            yield drained or stop(situation, container, departure.reason, replaces=replaces)


def _drain(situation: Situation, container: Container, why: str) -> DrainContainer | Blocked | None:
    status = container.status
    serves = isinstance(status, Running) and status.health.status in (HealthStatus.NONE, HealthStatus.HEALTHY)
    if situation.going_down or situation.wish(container.service).rests or not serves:
        return None
    return drain(situation, container, progress_of(situation, container.service), why)


def _comes_again(situation: Situation, name: str) -> bool:
    """Whether another container of this name follows: a one-off command runs once."""
    spec = situation.specs.get(name)
    return spec is not None and spec.one_off is None


def _fate_of_volumes(situation: Situation, container: Container) -> AnonymousVolumes:
    if _comes_again(situation, container.name) or container.initializes in situation.specs:
        return AnonymousVolumes.HAND_ON
    request = situation.request
    if container.stand_in:
        return AnonymousVolumes.DELETE
    return AnonymousVolumes.DELETE if request.remove_volumes or request.remove_anonymous else AnonymousVolumes.LEAVE


def _holders(situation: Situation, leaving: list[Container]) -> dict[str, list[str]]:
    """Service to the names of leaving containers that depend on it and may be running.

    Definitions of different ages can depend on each other in a cycle; if that blocks all containers, none is held back.
    """
    holders: dict[str, list[str]] = {}
    running: list[Container] = []
    stopping = False
    for container in leaving:
        action = situation.in_flight.get(ResourceId.container(container.name))
        stopping = stopping or action is not None
        if isinstance(container.status, Running) or isinstance(action, StartContainer):
            running.append(container)
            for service in container.depends_on:
                if service != container.service:
                    holders.setdefault(service, []).append(container.name)
    if running and not stopping and all(container.service in holders for container in running):
        return {}
    return {service: sorted(names) for service, names in holders.items()}
