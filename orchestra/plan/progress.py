"""How far the replacement of a service's containers has come, and which of the new ones have failed."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from orchestra.model.container import RestartPolicy
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Created, Exited, Running, Verb
from orchestra.model.resource import ResourceId
from orchestra.model.update import Ending
from orchestra.plan.action import CheckContainer
from orchestra.plan.clock import is_waiting
from orchestra.plan.dependency import is_due
from orchestra.plan.earlier import find_refusal
from orchestra.plan.health import describe_unhealthy
from orchestra.plan.replace import replacement_reason
from orchestra.plan.restart import exit_text, next_run
from orchestra.plan.situation import GIVE_UP
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.model.container import ContainerSpec
    from orchestra.model.observed import Container, Failure, Healthcheck
    from orchestra.plan.situation import Situation

MADE = (Verb.CREATE, Verb.START, Verb.HOOK)


class Stage(Enum):
    """OLD: it runs, and is to be replaced. OLD_ILL: the same, and it is unhealthy. UNDER_WAY: it is being replaced.
    PROVING: it is new and not ready yet. READY: healthy; without a health check, it has run for the monitor time.
    OVER: new, and it does not run, or is unhealthy, without that being a failure of the update. FAILED: such a failure.
    """

    OLD = "old"
    OLD_ILL = "old and ill"
    UNDER_WAY = "under way"
    PROVING = "proving"
    READY = "ready"
    OVER = "over"
    FAILED = "failed"


class Progress(Record):
    """replicas: without those that a command has stopped or killed alone, which nothing waits for.

    stages: by container, of replicas and stand-ins. proven_at: when those are ready that have only to run.

    latest: the start of the newest container that is as it should be, 0 if there is none. failures: why, by container.
    """

    replicas: tuple[str, ...]
    stand_ins: tuple[str, ...]
    stages: dict[str, Stage]
    proven_at: dict[str, float]
    latest: float
    failures: dict[str, str]

    @property
    def ready(self) -> frozenset[str]:
        """Those that serve, whatever their definition."""
        return frozenset(name for name, stage in self.stages.items() if stage in (Stage.OLD, Stage.READY))

    @property
    def is_over(self) -> bool:
        """Whether every replica is new, and ready or past hope."""
        past = (Stage.READY, Stage.OVER, Stage.FAILED)
        return all(self.stages[name] in past for name in self.replicas)

    def of(self, *stages: Stage) -> list[str]:
        """Replicas at one of these stages."""
        return [name for name in self.replicas if self.stages[name] in stages]


def progress_of(situation: Situation, service: str) -> Progress:
    """As it was before this plan: found once."""
    known = situation.progress.get(service)
    if known is None:
        replicas = [spec for spec in situation.replicas.get(service, ()) if not situation.replica_wish(spec).rests]
        stand_ins = situation.stand_ins.get(service, ())
        known = situation.progress[service] = _progress(situation, replicas, stand_ins)
    return known


def _progress(situation: Situation, replicas: Sequence[ContainerSpec], stand_ins: Sequence[ContainerSpec]) -> Progress:
    stages: dict[str, Stage] = {}
    proven_at: dict[str, float] = {}
    failures: dict[str, str] = {}
    latest = 0.0
    for spec in (*replicas, *stand_ins):
        container = situation.observed.containers.get(spec.name)
        failure = find_failure(situation, spec, container)
        if failure is not None:
            stages[spec.name], failures[spec.name] = Stage.FAILED, failure
            continue
        stage = _stage(situation, spec, container)
        if stage is Stage.PROVING and container is not None and container.healthcheck is None:
            assert isinstance(container.status, Running)
            proven_at[spec.name] = container.status.started_at + _monitor(spec)
        if stage in (Stage.PROVING, Stage.READY) and not spec.stand_in and container is not None:
            assert isinstance(container.status, Running)
            latest = max(latest, container.status.started_at)
        stages[spec.name] = stage
    names = tuple(spec.name for spec in replicas), tuple(spec.name for spec in stand_ins)
    return Progress(*names, stages, proven_at, latest, failures)


def _monitor(spec: ContainerSpec) -> float:
    return 0.0 if spec.update is None else spec.update.monitor


def _stage(situation: Situation, spec: ContainerSpec, container: Container | None) -> Stage:
    action = situation.in_flight.get(ResourceId.container(spec.name))
    if container is None or not (action is None or isinstance(action, CheckContainer)):
        return Stage.UNDER_WAY
    status = container.status
    if replacement_reason(situation, spec, container) is not None:
        if not isinstance(status, Running) or container.drained_at:
            return Stage.UNDER_WAY
        return Stage.OLD_ILL if status.health.status is HealthStatus.UNHEALTHY else Stage.OLD
    match status:
        case Created():
            return Stage.UNDER_WAY
        case Exited():
            return Stage.UNDER_WAY if status.stopped else Stage.OVER
        case Running(health=health):
            if container.hooks_left:
                return Stage.UNDER_WAY
            if container.healthcheck is not None:
                if health.status is HealthStatus.UNHEALTHY:
                    return Stage.OVER
                return Stage.READY if health.status is HealthStatus.HEALTHY else Stage.PROVING
            proven_at = status.started_at + _monitor(spec)
            return Stage.PROVING if is_waiting(status.started_at, proven_at, situation.now) else Stage.READY


def is_proving(situation: Situation, spec: ContainerSpec) -> bool:
    """Whether an update waits for this new container to be ready, since when ever it has been there.

    One that is paused does not change by itself.
    """
    if spec.service not in situation.updating:
        return False
    failing = situation.desired.failing.get(spec.service)
    if failing is not None and failing.ending is Ending.PAUSED:
        return False
    container = situation.observed.containers.get(spec.name)
    if container is None or (isinstance(container.status, Running) and container.status.paused):
        return False
    return progress_of(situation, spec.service).stages.get(spec.name) is Stage.PROVING


def watched_until(situation: Situation, spec: ContainerSpec, container: Container) -> float | None:
    """Until when (Unix seconds) a failure of this new container is one of the update; None if it no longer is."""
    status = container.status
    if spec.update is None or not isinstance(status, Running):
        return None
    is_update = spec.service in situation.updating and container.created_at >= situation.replica_wish(spec).at
    if not is_update and spec.service not in situation.stand_ins:
        return None
    until = status.started_at + spec.update.monitor
    return until if is_waiting(status.started_at, until, situation.now) else None


def find_failure(situation: Situation, spec: ContainerSpec, container: Container | None) -> str | None:
    """Why the new definition has failed in this container, in words; None if it has not, as far as is known.

    It cannot be created or started, ends within the monitor time, or does not become healthy. Only what was made since
    the last command counts, so that what happens to it later does not.
    """
    if spec.update is None or spec.service not in situation.updating:
        return None
    refusal = find_refusal(situation.desired, situation.observed, spec)
    if refusal is not None:
        return f"{spec.name}: {refusal.error}"
    at, monitor = situation.replica_wish(spec).at, spec.update.monitor
    failure = situation.observed.failures.get(ResourceId.container(spec.name))
    if failure is not None and failure.verb in MADE and failure.at >= at and _is_final(failure):
        return f"{spec.name}: {failure.error}"
    if container is not None and spec.stand_in and (lost := _why_never_ready(situation, spec, container)):
        return lost
    if container is None or container.created_at < at or replacement_reason(situation, spec, container) is not None:
        return None
    began_again = container.restarts > 0
    match container.status:
        case Running(health=health, started_at=started_at):
            if health.status is HealthStatus.UNHEALTHY and container.healthcheck is not None:
                deadline = started_at + monitor + _longest(container.healthcheck)
                if health.checked_at is None or health.checked_at <= deadline:
                    return describe_unhealthy(spec.name, health)
            if began_again and started_at <= container.created_at + monitor:
                return f"container {spec.name} was restarted within {monitor:g} s"
        case Exited() as ended if not ended.stopped:
            early = ended.started_at <= container.created_at + monitor if began_again else True
            lasted = ended.finished_at - ended.started_at
            goes_on = spec.restart.policy in (RestartPolicy.ALWAYS, RestartPolicy.UNLESS_STOPPED)
            if early and lasted <= monitor and (goes_on or not ended.succeeded):
                return f"container {spec.name} {exit_text(ended, spec.resources.memory)}"
    return None


def _why_never_ready(situation: Situation, spec: ContainerSpec, container: Container) -> str | None:
    """Why replicas would wait for this stand-in for ever, in words, whenever it was made; None if they do not."""
    match container.status:
        case Running(health=health) if health.status is HealthStatus.UNHEALTHY:
            return describe_unhealthy(spec.name, health)
        case Exited(stopped=False) as ended if not is_due(situation, spec, container):
            if next_run(spec.restart, container, ended) is None:
                return f"container {spec.name} {exit_text(ended, spec.resources.memory)}"
    return None


def _is_final(failure: Failure) -> bool:
    return not failure.temporary or failure.attempts >= GIVE_UP


def _longest(check: Healthcheck) -> float:
    """Seconds from its start after which a container that never was healthy is unhealthy at the latest."""
    return check.start_period + (check.interval + check.timeout) * (check.retries + 1)
