"""Whether the dependencies of a container allow it to start: the three conditions of ``depends_on``.

Messages are those of Docker Compose. ``required: false`` permits failure, but does not skip the wait. A service
without containers (scaled to 0, not selected) is not waited for, nor is one that was stopped by a command, and one that
is only to be created is ready once it is.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from orchestra.model.container import Condition
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Created, Exited, Running
from orchestra.model.resource import ResourceId
from orchestra.model.wish import Goal
from orchestra.named_tuple import NamedTuple
from orchestra.plan.action import StartContainer
from orchestra.plan.health import describe_unhealthy
from orchestra.plan.replace import replacement_reason
from orchestra.plan.restart import exit_text, next_run
from orchestra.plan.verdict import Blocked, Failed
from orchestra.record import replace

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec, Dependency
    from orchestra.model.health import Health
    from orchestra.model.observed import Container
    from orchestra.plan.situation import Situation


HEALTHY, COMPLETE, RESTARTED = "to be healthy", "to complete", "to be restarted"
_FAILED = "dependency failed to start: "
HOOKS = "to run its post_start hooks"
"""What a container waits for in another one that is running, or will soon run again."""


class Allowed(NamedTuple):
    """All conditions hold; ``reason`` names them, and is empty when there are none."""

    reason: str


def failed_options(situation: Situation) -> tuple[str, ...]:
    """Which dependencies with ``required: false`` have failed, and why: their dependents start without them."""
    return tuple(
        dict.fromkeys(
            f'optional dependency "{dependency.service}" failed to start: {words.removeprefix(_FAILED)}'
            for spec in situation.of_services
            for dependency in spec.depends_on
            if not dependency.required
            for replica in situation.replicas.get(dependency.service, ())
            for standing, words in [_standing(situation, replica, dependency, settled=True)]
            if standing in (_Standing.FAILED, _Standing.HOPELESS)
        )
    )


class _Standing(Enum):
    MET = "met"
    WAITING = "waiting"
    FAILED = "failed"
    HOPELESS = "hopeless"


_SATISFIED = {
    Condition.STARTED: "has started",
    Condition.HEALTHY: "is healthy",
    Condition.COMPLETED: "has completed",
}


def check_dependencies(situation: Situation, spec: ContainerSpec, *, settled: bool) -> Allowed | Blocked | Failed:
    """Whether ``spec`` may start now.

    settled: its dependencies must also match the file, and must have been started since the last command. This is the
    rule under ``up``; a restart by policy takes them as they are, and the command ``restart`` only checks those
    that it restarts too.
    """
    wish = situation.wish_of(spec)
    dependencies = spec.depends_on
    if settled and wish.restart:
        held = _check_replacements(situation, spec)
        if isinstance(held, Blocked):
            return held
        dependencies = tuple(each for each in dependencies if situation.wish(each.service).restart)
    if not dependencies:
        return Allowed("")
    if wish.alone:
        return _check_replacements(situation, spec)
    resource = ResourceId.container(spec.name)
    met: list[str] = []
    waits: list[str] = []
    waits_for: list[ResourceId] = []
    awaited: list[tuple[ResourceId, str]] = []
    stuck: Blocked | Failed | None = None
    for dependency in dependencies:
        if situation.wish(dependency.service).rests:
            continue
        outcome = _SATISFIED[dependency.condition]
        for replica in situation.replicas.get(dependency.service, ()):
            if situation.replica_wish(replica).rests:
                continue
            standing, words = _standing(situation, replica, dependency, settled)
            if standing is _Standing.MET:
                continue
            if standing is _Standing.WAITING:
                waits.append(words)
                waits_for.append(ResourceId.container(replica.name))
                want = words.removeprefix(f"{replica.name} ")
                awaited += [(waits_for[-1], want)] if want in (HEALTHY, COMPLETE, RESTARTED) else []
            elif not dependency.required:
                outcome = "failed but is not required"
            elif stuck is None and standing is _Standing.FAILED:
                stuck = Failed(resource, words)
            elif stuck is None:
                stuck = Blocked(resource, words, (ResourceId.container(replica.name),))
        if dependency.service in situation.replicas:
            met.append(f"{dependency.service} {outcome}")
    if stuck is not None:
        return replace(stuck, waits_for=(*stuck.waits_for, *waits_for))
    if waits:
        return Blocked(resource, f"waits for {', '.join(waits)}", tuple(waits_for), awaited=tuple(awaited))
    return Allowed(", ".join(met))


def _check_replacements(situation: Situation, spec: ContainerSpec) -> Allowed | Blocked:
    """Even without other conditions, wait until a dependency with ``restart: true`` is replaced."""
    for dependency in spec.depends_on:
        if dependency.restart:
            for replica in situation.replicas.get(dependency.service, ()):
                resource = ResourceId.container(replica.name)
                if replica.name in situation.replacing or resource in situation.in_flight:
                    return Blocked(
                        ResourceId.container(spec.name), f"waits for {replica.name} to be replaced", (resource,)
                    )
    return Allowed("")


def _standing(
    situation: Situation, replica: ContainerSpec, dependency: Dependency, settled: bool
) -> tuple[_Standing, str]:
    name = replica.name
    resource = ResourceId.container(name)
    container = situation.observed.containers.get(name)
    action = situation.in_flight.get(resource)
    if action is not None:
        return _Standing.WAITING, f"{name} (in progress: {action.verb})"
    if settled:
        if resource in situation.hopeless:
            return _Standing.HOPELESS, f"waits for {name}, which cannot be started"
        if container is None or replacement_reason(situation, replica, container):
            return _Standing.WAITING, f"{name} to be created"
        if is_due(situation, replica, container):
            return _Standing.WAITING, f"{name} to be started"
        if is_to_restart(situation, replica, container):
            return _Standing.WAITING, f"{name} {RESTARTED}"
    if container is None or name in situation.leaving:
        return _Standing.WAITING, f"{name} to be started"
    if situation.replica_wish(replica).goal is Goal.CREATE:
        return _Standing.MET, ""
    match container.status:
        case Created():
            return _Standing.WAITING, f"{name} to be started"
        case Running() if container.hooks_left and resource not in situation.hopeless:
            return _Standing.WAITING, f"{name} {HOOKS}"
        case Running(health=health):
            return _running(container, dependency.condition, health)
        case Exited() as ended:
            return _ended(replica, dependency, container, ended)


def _running(replica: Container, condition: Condition, health: Health) -> tuple[_Standing, str]:
    match condition:
        case Condition.STARTED:
            return _Standing.MET, ""
        case Condition.COMPLETED:
            return _Standing.WAITING, f"{replica.name} {COMPLETE}"
        case Condition.HEALTHY:
            if health.status is HealthStatus.HEALTHY:
                return _Standing.MET, ""
            if replica.healthcheck is None:
                error = f"{_FAILED}container {replica.name} has no healthcheck configured"
                return _Standing.FAILED, error
            if health.status is HealthStatus.UNHEALTHY:
                return _Standing.FAILED, f"{_FAILED}{describe_unhealthy(replica.name, health)}"
            return _Standing.WAITING, f"{replica.name} {HEALTHY}"


def _ended(
    replica: ContainerSpec, dependency: Dependency, container: Container, ended: Exited
) -> tuple[_Standing, str]:
    condition = dependency.condition
    if ended.stopped:
        return _Standing.WAITING, f"{replica.name} to be started"
    if condition is Condition.STARTED or (condition is Condition.COMPLETED and ended.succeeded):
        return _Standing.MET, ""
    if next_run(replica.restart, container, ended):
        return _Standing.WAITING, f"{replica.name} {RESTARTED}"
    if condition is Condition.HEALTHY:
        text = exit_text(ended, replica.resources.memory)
        return _Standing.FAILED, f"{_FAILED}container {replica.name} {text}"
    code = "unknown" if ended.exit_code is None else ended.exit_code
    reason = ", out of memory" if ended.oom_killed else ""
    return _Standing.FAILED, f'service "{dependency.service}" didn\'t complete successfully: exit {code}{reason}'


def is_due(situation: Situation, spec: ContainerSpec, container: Container) -> bool:
    """Whether a container that is not running still has to be started, because of the last command."""
    if situation.replica_wish(spec).goal is not Goal.RUN:
        return False
    match container.status:
        case Created():
            return True
        case Exited(finished_at=finished_at, stopped=stopped):
            if stopped or finished_at < situation.replica_wish(spec).at:
                return True
            return replaced_dependency(situation, spec, container) is not None
        case Running():
            return False


def is_to_restart(situation: Situation, spec: ContainerSpec, container: Container) -> bool:
    """Whether the run of a container has to end, and another to begin, because of the last command."""
    wish = situation.replica_wish(spec)
    status = container.status
    return wish.restart and isinstance(status, Running) and status.started_at < wish.at


def replaced_dependency(situation: Situation, spec: ContainerSpec, container: Container) -> str | None:
    """The name of a ``restart: true`` dependency created after the last run of ``container`` began, if there is one.

    Only the first replica counts: another replica of a dependency is no reason to restart.
    """
    status = container.status
    if isinstance(status, Created):
        return None
    for dependency in spec.depends_on:
        if dependency.restart and dependency.service in situation.replicas:
            name = situation.replicas[dependency.service][0].name
            seen = situation.observed.containers.get(name)
            if seen is not None and _is_newer(seen, container, status):
                return name
    return None


def _is_newer(seen: Container, container: Container, status: Running | Exited) -> bool:
    if known := container.runs_with.get(seen.name):
        return known != seen.id
    # It is only predicted, or an earlier version of Orchestra, which did not write that down, has started it.
    return status.started_at < seen.created_at


def begin_run(
    situation: Situation, spec: ContainerSpec, reason: str, restarts: int = 0, backoff: int = 0
) -> StartContainer:
    """Start it, and have it noted which containers are there with which it is restarted."""
    names = (
        situation.replicas[dependency.service][0].name
        for dependency in spec.depends_on
        if dependency.restart and dependency.service in situation.replicas
    )
    containers = situation.observed.containers
    runs_with = {name: containers[name].id for name in names if name in containers}
    return StartContainer(spec.name, restarts, backoff, reason, runs_with)
