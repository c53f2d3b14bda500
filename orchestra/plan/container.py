"""The next step of one desired container: create, start, stop for a successor, remove for a successor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.health import HealthStatus
from orchestra.model.observed import Created, Exited, Running
from orchestra.model.resource import Kind, ResourceId
from orchestra.plan.action import (
    AnonymousVolumes,
    CheckContainer,
    CreateContainer,
    RemoveContainer,
    StartContainer,
)
from orchestra.plan.clock import is_waiting
from orchestra.plan.connection import next_connection
from orchestra.plan.creation import create, is_unfinished, missing_for
from orchestra.plan.dependency import (
    HEALTHY,
    RESTARTED,
    Allowed,
    begin_run,
    check_dependencies,
    is_due,
    is_to_restart,
    replaced_dependency,
)
from orchestra.plan.earlier import find_refusal, is_checked, is_made_from, is_to_be_checked, refusal_of
from orchestra.plan.health import describe_unhealthy
from orchestra.plan.hooks import run_hooks, stop
from orchestra.plan.images import ready_digest
from orchestra.plan.init_containers import initialize, wait_for_new
from orchestra.plan.progress import is_proving, progress_of, watched_until
from orchestra.plan.replace import replacement_reason
from orchestra.plan.restart import STEADY, next_run
from orchestra.plan.rolling import hold_back, in_its_order, wait_for_rollback
from orchestra.plan.verdict import Blocked, Failed

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Earlier
    from orchestra.model.observed import Container
    from orchestra.plan.action import Action, StopContainer
    from orchestra.plan.situation import Situation


def plan_container(situation: Situation, spec: ContainerSpec) -> Action | Blocked | Failed | None:
    """What to do now about a desired container. ``removal`` handles those that have to leave first."""
    if situation.replica_wish(spec).rests:
        situation.hopeless.add(ResourceId.container(spec.name))  # it stays as it is, even if others wait for it
        return None
    if spec.name in situation.leaving or ResourceId.container(spec.name) in situation.in_flight:
        return None
    container = situation.observed.containers.get(spec.name)
    refusal = refusal_of(situation, spec)
    if refusal is not None:
        situation.add(refusal)
        return _go_back(situation, situation.earlier[spec.name], container)
    if container is None or is_unfinished(container):
        return create(situation, spec)
    if (going := _go_along(situation, spec, container)) is not None:
        return going
    why = replacement_reason(situation, spec, container)
    if why is not None:
        return _make_way(situation, spec, container, why)
    connection = next_connection(situation, spec, container)
    if connection is not None:
        return connection
    match container.status:
        case Running() as running:
            return _keep_running(situation, spec, container, running)
        case Created():
            return _start(situation, spec, "created") if is_due(situation, spec, container) else None
        case Exited() as ended:
            return _after_exit(situation, spec, container, ended)


def plan_one_off(situation: Situation, spec: ContainerSpec) -> Action | Blocked | Failed | None:
    """What to do now about the container of a one-off command: it is made and started once, then left as it is.

    Before it is removed, it is written down that it was started: what is gone without that is made.
    """
    if spec.name in situation.leaving or ResourceId.container(spec.name) in situation.in_flight:
        return None
    one_off = spec.one_off
    assert one_off is not None
    container = situation.observed.containers.get(spec.name)
    if container is None or isinstance(container.status, Created):
        if one_off.started:
            return None
        if container is None or is_unfinished(container):
            return _wait_for_networks(situation, spec) or create(situation, spec)
        return _start(situation, spec, "created")
    if isinstance(container.status, Running):
        return run_hooks(container, container.status)
    if one_off.remove_when_ended and one_off.started:
        return RemoveContainer(container.name, AnonymousVolumes.DELETE, "asked to be removed at its end")
    return None


def _wait_for_networks(situation: Situation, spec: ContainerSpec) -> Blocked | None:
    """Wait for networks that are going to be replaced: once the command runs on one, it cannot be."""
    wanted = {ResourceId.network(endpoint.network) for endpoint in spec.endpoints} - situation.hopeless
    waits_for = tuple(blocked.resource for blocked in situation.blocked if blocked.resource in wanted)
    if not waits_for:
        return None
    return Blocked(ResourceId.container(spec.name), f"waits for {', '.join(map(str, waits_for))}", waits_for)


def _go_back(situation: Situation, earlier: Earlier, container: Container | None) -> Action | Blocked | Failed | None:
    """The next step of a container whose new definition was refused: it keeps running, or is created, as it was."""
    spec = earlier.spec
    if container is None or is_unfinished(container):
        wanted = {ResourceId.network(network.name) for network in situation.desired.networks}
        missing = tuple(each for each in missing_for(situation, spec) if each in wanted)
        if missing:
            reason = f"its new definition was refused; waits for {', '.join(map(str, missing))}"
            return Blocked(ResourceId.container(spec.name), reason, missing)
        return CreateContainer(spec, earlier.image_digest, "its new definition was refused")
    if not is_made_from(container, earlier):
        if isinstance(container.status, Running):
            return None
        why = "its new definition was refused"
        return RemoveContainer(container.name, AnonymousVolumes.HAND_ON, why, replaces=True)
    match container.status:
        case Running() as running:
            going = _go_along(situation, spec, container)
            return going or _keep_running(situation, spec, container, running)
        case Created():
            # What it depends on may have gone back as well.
            allowed = check_dependencies(situation, spec, settled=False)
            if not isinstance(allowed, Allowed):
                return allowed
            held = wait_for_new(situation, spec) or initialize(situation, spec)
            return held or begin_run(situation, spec, "its new definition was refused")
        case Exited() as ended:
            return _after_exit(situation, spec, container, ended)


def _make_way(
    situation: Situation, spec: ContainerSpec, container: Container, why: str
) -> Action | Blocked | Failed | None:
    """Stop, then remove, for a successor, once that could be created and, if this one is running, started."""
    resource = ResourceId.container(spec.name)
    missing = missing_for(situation, spec)
    if spec.name in situation.to_check:  # what it shares with may be what cannot be replaced before
        missing = tuple(each for each in missing if each.kind is not Kind.CONTAINER)
    if missing:
        return Blocked(resource, f"{why}; waits for {', '.join(map(str, missing))}", missing)
    if not isinstance(container.status, Running):
        fate = _fate_of_volumes(situation, spec, container)
        return RemoveContainer(container.name, fate, f"to be replaced: {why}", replaces=True)
    digest = ready_digest(situation, spec.image_key)
    check = None if digest is None else CheckContainer(spec, digest, f"before it is replaced: {why}")
    if spec.name in situation.to_check:
        return check  # one of its networks is replaced too, which takes down everything on it
    allowed = check_dependencies(situation, spec, settled=True)
    if isinstance(allowed, Blocked):
        return Blocked(resource, f"{why}; {allowed.reason}", allowed.waits_for, awaited=allowed.awaited)
    if isinstance(allowed, Failed):
        return allowed
    unchecked = [each.name for each in situation.restarted_with.get(spec.service, ()) if _is_unchecked(situation, each)]
    situation.to_check.update(unchecked)
    if check is not None and not is_checked(situation, spec):
        return check
    if unchecked:
        reason = f"{why}; waits for {', '.join(unchecked)} to be checked, which depends on it with restart"
        return Blocked(resource, reason, situation.resources(unchecked))
    why = in_its_order(spec, situation.desired.stack, why)
    if (before := hold_back(situation, spec, container, why)) is not None:
        return before
    ending = stop(situation, container, f"to be replaced: {why}", replaces=True)
    verdict = situation.after_failure(ending)
    if verdict is not ending:
        return verdict  # no dependent is stopped for a replacement that will not come
    situation.replacing.add(spec.name)
    running = [s.name for s in situation.restarted_with.get(spec.service, ()) if _may_run(situation, s.name)]
    if running:
        reason = f"{why}; waits for {', '.join(running)} to stop, which depends on it with restart"
        return Blocked(resource, reason, situation.resources(running))
    return ending


def _fate_of_volumes(situation: Situation, spec: ContainerSpec, container: Container) -> AnonymousVolumes:
    """The data of a renamed service is handed on; a container of another service does not get it."""
    if container.service != spec.service and container.service in situation.declared:
        return AnonymousVolumes.LEAVE
    wish = situation.replica_wish(spec)
    renewed = wish.renew_volumes and container.created_at < wish.at
    return AnonymousVolumes.DELETE if renewed else AnonymousVolumes.HAND_ON


def _may_run(situation: Situation, name: str) -> bool:
    container = situation.observed.containers.get(name)
    if container is not None and isinstance(container.status, Running):
        return True
    return isinstance(situation.in_flight.get(ResourceId.container(name)), StartContainer)


def _is_unchecked(situation: Situation, spec: ContainerSpec) -> bool:
    """Whether the container, which a dependency is about to take along, could not be started again yet."""
    if spec.name in situation.leaving or situation.replica_wish(spec).rests:
        return False
    goes_back = spec.name in situation.earlier and find_refusal(situation.desired, situation.observed, spec)
    return not goes_back and is_to_be_checked(situation, spec)


def _go_along(situation: Situation, spec: ContainerSpec, container: Container) -> StopContainer | None:
    """Stop it if a container that takes it along (``restart: true``) is about to be replaced."""
    if not (situation.replacing and isinstance(container.status, Running)):
        return None
    for dependency in spec.depends_on:
        if dependency.restart:
            for replica in situation.replicas.get(dependency.service, ()):
                if replica.name in situation.replacing:
                    return stop(situation, container, f"{replica.name} is about to be replaced")
    return None


def _keep_running(
    situation: Situation, spec: ContainerSpec, container: Container, running: Running
) -> Action | Blocked | Failed | None:
    """Run the hooks that are left, unless it has to be restarted.

    That is on request, since a dependency that takes it along was replaced, or because it is unhealthy.
    """
    if is_to_restart(situation, spec, container):
        why = "asked to be restarted"
    else:
        replaced = replaced_dependency(situation, spec, container)
        if replaced is None:
            return (
                _heal(situation, spec, container, running)
                or run_hooks(container, running)
                or _watch(situation, spec, container)
            )
        why = f"{replaced} was replaced"
    allowed = check_dependencies(situation, spec, settled=True)
    if isinstance(allowed, Allowed):
        return stop(situation, container, why)
    if isinstance(allowed, Blocked):
        reason = f"{why}; {allowed.reason}"
        return Blocked(ResourceId.container(spec.name), reason, allowed.waits_for, awaited=allowed.awaited)
    return allowed if is_to_restart(situation, spec, container) else run_hooks(container, running)


def _heal(situation: Situation, spec: ContainerSpec, container: Container, running: Running) -> Action | Blocked | None:
    """Stop an unhealthy container that is to be restarted then; but no run is cut short before it could be steady."""
    if not spec.restart.unhealthy or running.paused or running.health.status is not HealthStatus.UNHEALTHY:
        return None
    why = describe_unhealthy(spec.name, running.health)
    steady = running.started_at + STEADY
    if is_waiting(running.started_at, steady, situation.now):
        reason = f"{why}; restarted {STEADY:g} s after its start"
        return Blocked(ResourceId.container(spec.name), reason, until=steady)
    return stop(situation, container, f"{why}; to be restarted")


def _watch(situation: Situation, spec: ContainerSpec, container: Container) -> Blocked | None:
    """Until it is ready and the monitor time of its update is over, a container that runs is not done.

    One made before the last command is waited for as well: only its failures no longer count for the update.
    """
    resource = ResourceId.container(spec.name)
    if is_proving(situation, spec):
        if container.healthcheck is not None:
            return Blocked(resource, f"waits {HEALTHY}, which its update needs", awaited=((resource, HEALTHY),))
        until: float | None = progress_of(situation, spec.service).proven_at[spec.name]
    else:
        until = watched_until(situation, spec, container)
    if until is None or until <= situation.now:
        return None
    return Blocked(resource, "is watched after its update", until=until)


def _after_exit(
    situation: Situation, spec: ContainerSpec, container: Container, ended: Exited
) -> StartContainer | Blocked | Failed | None:
    if is_due(situation, spec, container):
        replaced = replaced_dependency(situation, spec, container)
        why = "was stopped" if ended.stopped else "ended before it was asked for"
        return _start(situation, spec, f"{replaced} was replaced" if replaced else why)
    following = next_run(spec.restart, container, ended)
    if following is None:
        return None
    if (held := wait_for_rollback(situation, spec)) is not None:
        return held
    if is_waiting(ended.finished_at, following.at, situation.now):
        pause = f"{following.at - ended.finished_at:g} s after its end"
        resource = ResourceId.container(spec.name)
        return Blocked(resource, f"{following.reason}, {pause}", until=following.at, awaited=((resource, RESTARTED),))
    allowed = check_dependencies(situation, spec, settled=False)
    if not isinstance(allowed, Allowed):
        return allowed
    return begin_run(situation, spec, following.reason, following.restarts, following.backoff)


def _start(situation: Situation, spec: ContainerSpec, why: str) -> StartContainer | Blocked | Failed:
    allowed = check_dependencies(situation, spec, settled=True)
    if not isinstance(allowed, Allowed):
        return allowed
    held = initialize(situation, spec)
    return held or begin_run(situation, spec, f"{why}; {allowed.reason}" if allowed.reason else why)
