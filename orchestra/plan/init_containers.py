"""Init containers (``pre_start``): they run one after the other before a new container starts for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.observed import Created, Exited, Running
from orchestra.model.resource import ResourceId
from orchestra.plan.action import AnonymousVolumes, RemoveContainer, StartContainer
from orchestra.plan.creation import create, is_being_removed, is_unfinished
from orchestra.plan.dependency import COMPLETE
from orchestra.plan.earlier import find_refusal
from orchestra.plan.hooks import stop
from orchestra.plan.replace import is_outlived
from orchestra.plan.verdict import Blocked, Failed

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.observed import Container
    from orchestra.plan.action import Action
    from orchestra.plan.situation import Situation


def initialize(situation: Situation, spec: ContainerSpec) -> Blocked | Failed | None:
    """What the start waits for among its init containers, which run one after the other; None if all have completed."""
    inits = spec.pre_start
    if inits and spec is situation.specs.get(spec.name):  # else it goes back
        inits = tuple(situation.init_containers.get(init.name, init) for init in inits)
    for position, init in enumerate(inits, 1):
        held = _run_init(situation, spec, init, inits[position:])
        if held is not None:
            return held
    return None


def _run_init(
    situation: Situation, spec: ContainerSpec, init: ContainerSpec, later: tuple[ContainerSpec, ...]
) -> Blocked | Failed | None:
    """Bring an init container on its way; None if it has completed since the container it initializes was created.

    later: those that run after it.
    """
    resource = ResourceId.container(init.name)
    owner = situation.observed.containers.get(init.initializes)
    if owner is None or is_being_removed(situation, init.initializes):
        reason = f"waits for {init.initializes} to be created, whose init containers it shares"
        return Blocked(ResourceId.container(spec.name), reason, situation.resources([init.initializes]))
    seen = situation.observed.containers.get(init.name)
    if not _is_taken(situation, init.name):
        if seen is None or is_unfinished(seen):
            step: Action | Blocked | Failed | None = _clear(situation, init, later) or create(situation, init)
        else:
            step = _step_of_init(situation, init, seen, owner)
        if step is None and seen is not None and isinstance(seen.status, Exited):
            return None
        situation.add(step)
    awaited = ((resource, COMPLETE),)
    return Blocked(ResourceId.container(spec.name), f"waits for {init.name} {COMPLETE}", (resource,), awaited=awaited)


def _is_taken(situation: Situation, name: str) -> bool:
    """Whether what becomes of it is decided: for another replica that shares it, or by what is under way."""
    resource = ResourceId.container(name)
    decided = (*situation.ready, *situation.failed, *situation.blocked)
    is_under_way = name in situation.leaving or resource in situation.in_flight
    return is_under_way or any(verdict.resource == resource for verdict in decided)


def _clear(situation: Situation, init: ContainerSpec, later: tuple[ContainerSpec, ...]) -> Blocked | None:
    """Remove what has run after an init container that is gone, before that is made anew: so it runs again as well.

    So one that is there was made after those before it had completed, whatever the clock said.
    """
    there = [each.name for each in later if each.name in situation.observed.containers]
    for name in there:
        if not _is_taken(situation, name):
            seen, why = situation.observed.containers[name], f"to run again after {init.name}"
            if isinstance(seen.status, Running):
                situation.add(stop(situation, seen, why, replaces=True))
            else:
                situation.add(RemoveContainer(seen.name, AnonymousVolumes.HAND_ON, why, replaces=True))
    if not there:
        return None
    reason = f"waits for {', '.join(there)} to be removed, which run after it"
    return Blocked(ResourceId.container(init.name), reason, situation.resources(there))


def _step_of_init(
    situation: Situation, init: ContainerSpec, seen: Container, owner: Container
) -> Action | Failed | None:
    """The next step of an init container that is there; None while it runs, and when it has completed."""
    status = seen.status
    outdated = seen.config_hash != init.config_hash or is_outlived(owner, seen)
    if isinstance(status, Running):
        return stop(situation, seen, f"{owner.name} was replaced", replaces=True) if outdated else None
    if isinstance(status, Exited) and not status.succeeded:
        outdated = outdated or status.stopped or status.finished_at < _asked_at(situation, init)
        if not outdated:
            code = "unknown" if status.exit_code is None else status.exit_code
            error = f'service "{init.service}" pre_start[{init.step}] exited with code {code}'
            hint = f"orchestra logs {init.service} shows what {init.name} wrote"
            return Failed(ResourceId.container(init.name), error, hint, location=init.location)
    if outdated:
        return RemoveContainer(seen.name, AnonymousVolumes.HAND_ON, f"to run again before {owner.name}", replaces=True)
    if isinstance(status, Created):
        return StartContainer(init.name, 0, 0, f"before {owner.name} starts for the first time")
    return None


def _asked_at(situation: Situation, init: ContainerSpec) -> float:
    """When a command asked last for any of the replicas that share an init container (Unix seconds)."""
    replicas = situation.replicas.get(init.service, ())
    return max((situation.replica_wish(each).at for each in replicas), default=situation.wish(init.service).at)


def wait_for_new(situation: Situation, spec: ContainerSpec) -> Blocked | None:
    """Replicas share their init containers: those that are new have run them before they run for one that goes back."""
    if not spec.pre_start:
        return None
    containers = situation.observed.containers
    new = [
        each.name
        for each in situation.replicas.get(spec.service, ())
        if each.name in containers
        and isinstance(containers[each.name].status, Created)
        and find_refusal(situation.desired, situation.observed, each) is None
    ]
    if not new:
        return None
    reason = f"goes back; waits for {', '.join(new)}, whose init containers it shares"
    return Blocked(ResourceId.container(spec.name), reason, situation.resources(new))
