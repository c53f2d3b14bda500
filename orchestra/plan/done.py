"""Whether a command is done, under way or unable to succeed. Pure: decided from the observed state."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from orchestra.model.container import Condition
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Created, Exited, Running, Verb
from orchestra.model.resource import Kind, ResourceId
from orchestra.model.wish import Goal
from orchestra.plan.action import CreateContainer, PullImage, StartContainer
from orchestra.plan.clock import is_waiting
from orchestra.plan.connection import next_connection
from orchestra.plan.dependency import is_due, is_to_restart
from orchestra.plan.earlier import refusal_of
from orchestra.plan.health import describe_unhealthy
from orchestra.plan.images import is_to_be_compared
from orchestra.plan.removal import find_departures
from orchestra.plan.replace import replacement_reason
from orchestra.plan.restart import exit_text, next_run
from orchestra.plan.situation import Situation
from orchestra.plan.verdict import Failed
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Container, Observed
    from orchestra.plan.action import Action
    from orchestra.plan.plan import Plan

SETTLING = 0.5
"""Seconds that a container without a health check must run before ``--wait`` counts it, so that one that crashes at
once is never counted. ``--wait`` ends this long after a failure, to report simultaneous failures together."""


class Standing(Record):
    """The progress of an ``up``.

    starting: something has yet to be created, started or removed. unproven: containers that have been started and have
    not met the condition of ``--wait`` yet; and containers that cannot be started, for reasons not all known yet.
    failures: why it can no longer succeed. look_at: the moment (Unix seconds) at which the answer changes even if
    nothing happens.
    """

    starting: bool = False
    unproven: tuple[str, ...] = ()
    failures: tuple[Failed, ...] = ()
    look_at: float | None = None


def is_under_way(
    desired: Desired,
    spec_of: Callable[[str], ContainerSpec | None],
    plan: Plan,
    in_flight: Mapping[ResourceId, Action],
    services: Collection[str] = (),
) -> bool:
    """Whether a container of these services (empty: all) is being created or started, so that ``up`` is not done.

    Cheap: it looks only at what is under way. False does not mean that it is done. spec_of: of a container of
    ``desired``, by its name.
    """
    for resource, action in in_flight.items():
        if isinstance(action, CreateContainer) or (isinstance(action, StartContainer) and not action.restarts):
            spec = None if resource in plan.hopeless else spec_of(resource.name)
            if (
                spec is not None
                and spec.one_off is None
                and _selected(spec.service, services)
                and desired.wish_of(spec).goal in (Goal.RUN, Goal.CREATE)
            ):
                return True
    return False


def judge_up(
    desired: Desired,
    observed: Observed,
    plan: Plan,
    in_flight: Mapping[ResourceId, Action],
    now: float,
    *,
    wait: bool = False,
    services: Collection[str] = (),
    since: float = 0.0,
) -> Standing:
    """Whether everything matches the file and has been started, and everything that must be removed is gone.

    plan: for this world. wait: each container must also run, and be healthy if it has a health check; one that ended
    with 0 has done its work, unless its restart policy starts it again. services: only these; empty for all. since:
    Unix time; what ended for good before then is no failure.
    """
    judge = _Judge(Situation(desired, observed, in_flight, now), plan, wait, since)
    starting = not services and any(resource.kind is not Kind.CONTAINER for resource in judge.busy)
    unproven: list[str] = []
    stuck: dict[ResourceId, str] = {}
    others: set[ResourceId] = set()  # images, and services whose update has failed
    replaced = {spec.name for spec in desired.of_services}
    for name in find_departures(judge.situation):
        is_meant = desired.request.remove_orphans or _selected(observed.containers[name].service, services)
        if name not in replaced and is_meant:
            if ResourceId.container(name) in plan.hopeless:
                stuck[ResourceId.container(name)] = ""
            else:
                starting = True
    for spec in desired.of_services:
        if _selected(spec.service, services):
            stage, error = judge.stage(spec)
            starting = starting or stage is _Stage.STARTING
            if stage is _Stage.UNPROVEN:
                unproven.append(spec.name)
            elif stage is _Stage.STUCK:
                stuck[ResourceId.container(spec.name)] = error
                if judge.may_have_more_reasons(ResourceId.container(spec.name)):
                    unproven.append(spec.name)
                others.update(map(ResourceId.image, spec.image_keys))
    others.update(ResourceId(Kind.SERVICE, service) for service in desired.failing if _selected(service, services))
    one_offs = {ResourceId.container(spec.name) for spec in desired.one_offs}
    causes = _causes(plan, {*stuck, *others} if services else None)
    failures = [failure for failure in causes if failure.resource not in one_offs]
    known = {failure.resource for failure in failures}
    failures += [Failed(resource, error) for resource, error in stuck.items() if error and resource not in known]
    if stuck and not failures:
        reasons = {blocked.resource: blocked.reason for blocked in plan.blocked}
        failures = [Failed(resource, reasons.get(resource, "cannot be started")) for resource in stuck]
    return Standing(starting, tuple(unproven), tuple(failures), judge.look_at)


class _Stage(Enum):
    STARTING = "starting"
    UNPROVEN = "unproven"
    DONE = "done"
    STUCK = "stuck"


class _Judge:
    """busy: actions under way or about to begin, by resource. look_at: see ``Standing``."""

    def __init__(self, situation: Situation, plan: Plan, wait: bool, since: float) -> None:
        self.situation = situation
        self.busy = {**situation.in_flight, **{action.resource: action for action in plan.ready}}
        self.look_at: float | None = None
        self._hopeless = plan.hopeless
        self._failed = frozenset(failure.resource for failure in plan.failed)
        self._blocked = frozenset(blocked.resource for blocked in plan.blocked)
        self._waits_for = {blocked.resource: blocked.waits_for for blocked in plan.blocked}
        self._waits_for |= {failure.resource: failure.waits_for for failure in plan.failed}
        self._wait = wait
        self._since = since
        self._awaited = _awaited(situation.desired)

    def stage(self, spec: ContainerSpec) -> tuple[_Stage, str]:
        """The stage of the container, and if it is stuck, the reason, unless the plan gives it."""
        resource = ResourceId.container(spec.name)
        situation = self.situation
        container = situation.observed.containers.get(spec.name)
        goal = situation.replica_wish(spec).goal
        if goal is Goal.LEAVE:
            return _Stage.DONE, ""
        if goal is Goal.STOP:
            if container is None or not isinstance(container.status, Running):
                return _Stage.DONE, ""
            return (_Stage.STUCK if resource in self._failed else _Stage.STARTING), ""
        compared = not any(is_to_be_compared(situation, key) for key in spec.image_keys)
        if self._is_handled(resource) and refusal_of(situation, spec):
            return _Stage.STARTING, ""  # back to its earlier definition
        images = set(map(ResourceId.image, spec.image_keys))
        if resource in self._hopeless or (not compared and images & self._hopeless):
            return _Stage.STUCK, ""
        if container is None or not compared or self._is_handled(resource):
            return _Stage.STARTING, ""
        if replacement_reason(situation, spec, container) or is_due(situation, spec, container):
            return _Stage.STARTING, ""
        if is_to_restart(situation, spec, container) or next_connection(situation, spec, container):
            return _Stage.STARTING, ""
        if goal is Goal.CREATE:
            return _Stage.DONE, ""
        match container.status:
            case Created():
                return _Stage.STARTING, ""
            case Running() if resource in self._blocked:
                return _Stage.STARTING, ""
            case Running() as running:
                return self._running(spec, container, running) if self._wait else (_Stage.DONE, "")
            case Exited() as ended:
                return self._ended(spec, container, ended) if self._wait else (_Stage.DONE, "")

    def may_have_more_reasons(self, resource: ResourceId) -> bool:
        """Whether a resource that cannot be started also waits for something undecided."""
        return not self._hopeless.issuperset(self._waits_for.get(resource, ()))

    def _is_handled(self, resource: ResourceId) -> bool:
        """Whether the command has an action under way on it: a restart by policy is not part of the command."""
        action = self.busy.get(resource)
        return action is not None and not (isinstance(action, StartContainer) and action.restarts)

    def _running(self, spec: ContainerSpec, container: Container, running: Running) -> tuple[_Stage, str]:
        if container.healthcheck is not None and running.health.status is HealthStatus.UNHEALTHY:
            return _Stage.STUCK, describe_unhealthy(spec.name, running.health)
        if spec.service in self._awaited:
            return _Stage.UNPROVEN, ""
        if container.healthcheck is not None:
            healthy = running.health.status is HealthStatus.HEALTHY
            return (_Stage.DONE if healthy else _Stage.UNPROVEN), ""
        settled_at = running.started_at + SETTLING
        if not is_waiting(running.started_at, settled_at, self.situation.now):
            return _Stage.DONE, ""
        self.look_at = settled_at if self.look_at is None else min(self.look_at, settled_at)
        return _Stage.UNPROVEN, ""

    def _ended(self, spec: ContainerSpec, container: Container, ended: Exited) -> tuple[_Stage, str]:
        if next_run(spec.restart, container, ended):
            return _Stage.UNPROVEN, ""
        if ended.finished_at < self._since:
            return _Stage.DONE, ""
        if ended.succeeded and (container.healthcheck is None or spec.service in self._awaited):
            return _Stage.DONE, ""
        return _Stage.STUCK, f"container {spec.name} {exit_text(ended, spec.resources.memory)}"


def is_down(desired: Desired, observed: Observed) -> bool:
    """Whether ``down`` is done: no container, network or (if requested) volume is left that may be removed."""
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


def judge_down(
    desired: Desired,
    observed: Observed,
    plan: Plan,
    in_flight: Mapping[ResourceId, Action],
    services: Collection[str] = (),
) -> Standing:
    """The progress of a ``down``: it is over when nothing more can be removed, and nothing is still being created.

    services: only their containers; empty for everything. plan: for this world. failures: also permanent failures
    of resources that are gone all the same.
    """

    def concerns(resource: ResourceId) -> bool:
        if not services:
            return True
        kind, name = resource
        seen, made = observed.containers.get(name), in_flight.get(resource)
        service = made.spec.service if isinstance(made, CreateContainer) else seen and seen.service
        return kind is Kind.CONTAINER and service in services

    busy = [action.resource for action in plan.ready]
    busy += [resource for resource, action in in_flight.items() if not isinstance(action, PullImage)]
    busy += [blocked.resource for blocked in plan.blocked if blocked.resource not in plan.hopeless]
    failures = [failure for failure in plan.failed if concerns(failure.resource)]
    known = {failure.resource for failure in failures}
    failures += [
        Failed(failure.resource, failure.error, failure.hint, in_use=failure.in_use, location=failure.location)
        for failure in observed.failures.values()
        if failure.verb in (Verb.STOP, Verb.REMOVE)
        and not failure.temporary
        and failure.at >= desired.request.at
        and concerns(failure.resource)
        and failure.resource not in known
    ]
    return Standing(any(map(concerns, busy)), failures=tuple(failures))


def judge_stop(observed: Observed, plan: Plan, services: Collection[str] = (), names: Collection[str] = ()) -> Standing:
    """The progress of a ``stop``: it is over when each container of these services (empty: all) has ended or cannot.

    names: of the containers, if they are not all.
    """
    running = {
        ResourceId.container(container.name)
        for container in observed.containers.values()
        if isinstance(container.status, Running) and not container.one_off
        if _selected(container.service, services) and _selected(container.name, names)
    }
    stuck = {failure.resource for failure in plan.failed}
    while more := {b.resource for b in plan.blocked if b.resource not in stuck and not stuck.isdisjoint(b.waits_for)}:
        stuck |= more
    return Standing(not running <= stuck, failures=tuple(f for f in plan.failed if f.resource in running))


def judge_removal(desired: Desired, observed: Observed, plan: Plan, names: Collection[str]) -> Standing:
    """The progress of a removal: it is over when each container is gone, cannot be removed, or is desired again."""
    there = {
        ResourceId.container(name) for name in names if name in observed.containers and desired.container(name) is None
    }
    failures = tuple(failure for failure in plan.failed if failure.resource in there)
    return Standing(not there <= plan.hopeless, failures=failures)


def judge_run(desired: Desired, observed: Observed, plan: Plan, name: str) -> Standing:
    """How the container of a one-off command stands: it is over when it was started, cannot be, or is given up."""
    spec, container = desired.container(name), observed.containers.get(name)
    if spec is None or spec.one_off is None or spec.one_off.started:
        return Standing()
    resource = ResourceId.container(spec.name)
    if container is not None and not isinstance(container.status, Created):
        return Standing()
    if resource not in plan.hopeless:
        return Standing(starting=True)
    failures = _causes(plan, {resource, ResourceId.image(spec.image_key)})
    reasons = (blocked.reason for blocked in plan.blocked if blocked.resource == resource)
    return Standing(failures=tuple(failures) or (Failed(resource, next(reasons, "cannot be started")),))


def _causes(plan: Plan, stuck: Iterable[ResourceId] | None) -> list[Failed]:
    """The failures that hold these resources back; None for all failures."""
    if stuck is None:
        return list(plan.failed)
    waits_for = {blocked.resource: blocked.waits_for for blocked in plan.blocked}
    found: set[ResourceId] = set()
    pending = list(stuck)
    while pending:
        resource = pending.pop()
        if resource not in found:
            found.add(resource)
            pending += waits_for.get(resource, ())
    return [failure for failure in plan.failed if failure.resource in found]


def _awaited(desired: Desired) -> frozenset[str]:
    """Services that must complete before another one starts."""
    return frozenset(
        dependency.service
        for spec in desired.of_services
        for dependency in spec.depends_on
        if dependency.condition is Condition.COMPLETED
    )


def _selected(service: str, services: Collection[str]) -> bool:
    return not services or service in services
