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
    for init in spec.pre_start:
        held = _run_init(situation, spec, init)
        if held is not None:
            return held
    return None


def _run_init(situation: Situation, spec: ContainerSpec, init: ContainerSpec) -> Blocked | Failed | None:
    """Bring an init container on its way; None if it has completed since the container it initializes was created."""
    resource = ResourceId.container(init.name)
    owner = situation.observed.containers.get(init.initializes)
    if owner is None or is_being_removed(situation, init.initializes):
        reason = f"waits for {init.initializes} to be created, whose init containers it shares"
        return Blocked(ResourceId.container(spec.name), reason, situation.resources([init.initializes]))
    seen = situation.observed.containers.get(init.name)
    decided = (*situation.ready, *situation.failed, *situation.blocked)  # for another replica that shares it
    is_taken = init.name in situation.leaving or resource in situation.in_flight
    if not is_taken and all(verdict.resource != resource for verdict in decided):
        step = _step_of_init(situation, init, seen, owner)
        if step is None and seen is not None and isinstance(seen.status, Exited):
            return None
        situation.add(step)
    awaited = ((resource, COMPLETE),)
    return Blocked(ResourceId.container(spec.name), f"waits for {init.name} {COMPLETE}", (resource,), awaited=awaited)


def _step_of_init(
    situation: Situation, init: ContainerSpec, seen: Container | None, owner: Container
) -> Action | Blocked | Failed | None:
    """The next step of an init container; None while it runs, and when it has completed."""
    if seen is None or is_unfinished(seen):
        return create(situation, init)
    status = seen.status
    outdated = seen.config_hash != init.config_hash or is_outlived(owner, seen)
    if isinstance(status, Running):
        return stop(situation, seen, f"{owner.name} was replaced", replaces=True) if outdated else None
    if isinstance(status, Exited) and not status.succeeded:
        outdated = outdated or status.stopped or status.finished_at < situation.wish(init.service).at
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
