"""How many replicas of a service are replaced at a time, and what must hold before the next: ``deploy.update_config``.

Before a container is stopped, it gives its names and ports to the others, so that no new connection reaches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.resource import Kind, ResourceId
from orchestra.model.start_first import obstacle, starts_first
from orchestra.model.update import Ending, FailureAction, Order
from orchestra.plan.action import DrainContainer
from orchestra.plan.clock import is_waiting
from orchestra.plan.progress import Stage, progress_of, watched_until
from orchestra.plan.verdict import Blocked, Failed
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.model.container import ContainerSpec
    from orchestra.model.names import ServiceName
    from orchestra.model.observed import Container
    from orchestra.model.update import Update
    from orchestra.plan.progress import Progress
    from orchestra.plan.situation import Situation

DRAINING = 1.5
"""Seconds from when names and ports lead elsewhere to the stop: longer than an address may be remembered, so that the
connections to it that are being made arrive."""


class FailedUpdate(Record):
    """More containers of a service have failed than its update allows. action: what has to follow."""

    service: ServiceName
    action: FailureAction
    reason: str


def hold_back(
    situation: Situation, spec: ContainerSpec, container: Container, why: str
) -> Blocked | DrainContainer | None:
    """Why a replica is not stopped for its successor yet, or what comes before that. None if nothing speaks against it.

    A replica that ended or became unhealthy after its replacement holds nothing up, unless the update has failed.
    """
    update = spec.update
    if update is None:
        return None
    resource = ResourceId.container(spec.name)
    here = progress_of(situation, spec.service)
    if held := _held_by_failure(situation, spec, here, why):
        return held
    begun = situation.begun_replacements
    limit = update.parallelism or len(here.replicas)
    if not container.drained_at:
        others = frozenset(here.replicas) - {spec.name}
        under_way = [name for name in here.replicas if name in others and (_is_under_way(here, name) or name in begun)]
        proving = [name for name in here.of(Stage.PROVING) if name in others]
        if not spec.stand_in and len(under_way) + len(proving) >= limit:
            reason = f"{why}; waits for {', '.join((*under_way, *proving))}, at most {limit} at a time"
            return _wait(situation, spec, here, reason, (*under_way, *proving), proving)
        ready = here.ready - begun
        if starts_first(spec, situation.desired.stack) and spec.name in ready:
            lost = len(here.failures) + len(here.of(Stage.OVER))
            missing = len(here.replicas) - len(ready - {spec.name}) - lost
            awaited = [name for name in here.stand_ins if here.stages[name] is not Stage.READY]
            if missing > 0:
                reason = f"{why}; waits for {', '.join(awaited) or 'a stand-in'} to be ready"
                return _wait(situation, spec, here, reason, awaited, awaited)
        until = here.latest + update.delay
        if is_waiting(here.latest, until, situation.now):
            return Blocked(resource, f"{why}; waits {update.delay:g} s between replicas", until=until)
        begun.add(spec.name)
        if spec.name not in ready or (limit >= len(here.replicas) and not here.stand_ins):
            return None  # it serves nothing, or no other will
    return drain(situation, container, here, why)


def _is_under_way(here: Progress, name: str) -> bool:
    return here.stages[name] is Stage.UNDER_WAY


def _wait(
    situation: Situation,
    spec: ContainerSpec,
    here: Progress,
    reason: str,
    names: tuple[str, ...] | list[str],
    new: list[str],
) -> Blocked:
    awaited = tuple((ResourceId.container(name), "to be healthy") for name in new if name not in here.proven_at)
    until = min((here.proven_at[name] for name in new if name in here.proven_at), default=None)
    resource = ResourceId.container(spec.name)
    return Blocked(resource, reason, situation.resources(names), until=until, awaited=awaited)


def _held_by_failure(situation: Situation, spec: ContainerSpec, here: Progress, why: str) -> Blocked | None:
    resource = ResourceId.container(spec.name)
    failing = situation.desired.failing.get(spec.service)
    if failing is not None and failing.ending is Ending.PAUSED:
        service = ResourceId(Kind.SERVICE, spec.service)
        return Blocked(resource, f"{why}; the update of {spec.service} is paused", (service,))
    failed = _failed_update(spec.service, spec.update, here)
    if failed is not None and failed.action is not FailureAction.CONTINUE:
        return Blocked(resource, f"{why}; the update of {spec.service} has failed: {failed.reason}")
    return None


def drain(situation: Situation, container: Container, here: Progress, why: str) -> Blocked | DrainContainer | None:
    """The steps before a container is stopped whose work others take over; None when they are done, or it has none."""
    if not container.drained_at:
        if not (here.ready - situation.begun_replacements - {container.name}) or not container.networks:
            return None
        return DrainContainer(container.name, f"before it is stopped: {why}")
    until = container.drained_at + DRAINING
    if is_waiting(container.drained_at, until, situation.now):
        return Blocked(ResourceId.container(container.name), f"{why}; its last connections arrive", until=until)
    return None


def in_its_order(spec: ContainerSpec, stack: str, why: str) -> str:
    """The reason, with why the container is stopped before its successor starts if that was to be the other way."""
    if spec.update is None or spec.update.order is not Order.START_FIRST:
        return why
    said = obstacle(spec, stack)
    return why if said is None else f"{why}; stop-first, since {said}"


def wait_for_rollback(situation: Situation, spec: ContainerSpec) -> Blocked | None:
    """Once an update has failed and is to be rolled back, no policy restarts what has ended: it is replaced at once."""
    service = spec.service
    if service not in situation.updating or service in situation.desired.failing:
        return None
    failed = _failed_update(service, spec.update, progress_of(situation, service))
    if failed is None or failed.action is not FailureAction.ROLLBACK:
        return None
    reason = f"the update of {service} has failed: {failed.reason}; it is about to be rolled back"
    return Blocked(ResourceId.container(spec.name), reason)


def failed_updates(situation: Situation) -> Iterator[FailedUpdate]:
    """The updates that have failed, and for which nothing has followed yet."""
    for service in sorted(situation.updating):
        replicas = situation.replicas.get(service)
        if not replicas or situation.wish(service).rests:
            continue
        before = situation.desired.failing.get(service)
        failed = _failed_update(service, replicas[0].update, progress_of(situation, service))
        if failed is None or failed.action is FailureAction.CONTINUE:
            continue
        if before is None:
            yield failed
        elif before.ending is Ending.ROLLED_BACK:
            yield FailedUpdate(service, FailureAction.PAUSE, f"{before.reason}; then the rollback: {failed.reason}")


def updated_services(situation: Situation) -> Iterator[ServiceName]:
    """The services whose update is over: every replica is new, and was watched; no stand-in is left."""
    standing_in = {seen.service for seen in situation.observed.containers.values() if seen.stand_in}
    for service in sorted(situation.updating - standing_in):
        replicas = situation.replicas.get(service, ())
        if not replicas or replicas[0].update is None or situation.wish(service).rests:
            continue
        failing = situation.desired.failing.get(service)
        if failing is not None and failing.ending is Ending.PAUSED:
            continue
        here = progress_of(situation, service)
        if here.replicas and here.is_over and not any(_is_watched(situation, spec) for spec in replicas):
            failed = _failed_update(service, replicas[0].update, here)
            if failed is None or failed.action is FailureAction.CONTINUE:
                yield service


def _is_watched(situation: Situation, spec: ContainerSpec) -> bool:
    seen = situation.observed.containers.get(spec.name)
    until = None if seen is None else watched_until(situation, spec, seen)
    return until is not None and until > situation.now


def _failed_update(service: ServiceName, update: Update | None, here: Progress) -> FailedUpdate | None:
    if update is None or len(here.failures) <= update.max_failure_ratio * len(here.replicas):
        return None
    return FailedUpdate(service, update.failure_action, next(iter(here.failures.values())))


def failure_of_update(situation: Situation, service: ServiceName) -> Failed | None:
    """What commands tell of an update that has failed, until the next one about the service."""
    failing = situation.desired.failing.get(service)
    if failing is None or service not in situation.replicas or failing.at < situation.wish(service).at:
        return None
    if failing.ending is Ending.PAUSED:
        error = f"the update is paused: {failing.reason}"
        hint = "correct the file and run orchestra up, which goes on"
    else:
        error = f"the update was rolled back: {failing.reason}"
        hint = "the former definition runs; correct the file and run orchestra up"
    return Failed(ResourceId(Kind.SERVICE, service), error, hint)
