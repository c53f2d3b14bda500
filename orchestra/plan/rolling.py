"""How many replicas of a service are replaced at a time, and how long to wait in between: ``deploy.update_config``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.health import HealthStatus
from orchestra.model.observed import Created, Running
from orchestra.model.resource import ResourceId
from orchestra.plan.replace import replacement_reason
from orchestra.plan.verdict import Blocked

if TYPE_CHECKING:
    from orchestra.model.desired import ContainerSpec
    from orchestra.plan.situation import Situation


def wait_for_others(situation: Situation, spec: ContainerSpec, why: str) -> Blocked | None:
    """Why a replica is not replaced yet: enough others are. None if nothing speaks against it.

    A replica that ended or became unhealthy after its replacement holds nothing up.
    """
    update = spec.update
    if update is None or not update.parallelism:
        return None
    resource = ResourceId.container(spec.name)
    others = [other for other in situation.replicas[spec.service] if other.name != spec.name]
    replaced = [other.name for other in others if _is_under_way(situation, other)]
    probed = [other.name for other in others if _is_starting(situation, other)]
    if len(replaced) + len(probed) >= update.parallelism:
        reason = f"{why}; waits for {', '.join((*replaced, *probed))}, at most {update.parallelism} at a time"
        awaited = tuple((ResourceId.container(name), "to be healthy") for name in probed)
        return Blocked(resource, reason, situation.resources((*replaced, *probed)), awaited=awaited)
    until = max((_started_at(situation, other) for other in others), default=0.0) + update.delay
    if until > situation.now:
        return Blocked(resource, f"{why}; waits {update.delay:g} s between replicas", until=until)
    return None


def _is_under_way(situation: Situation, spec: ContainerSpec) -> bool:
    """Whether it is being replaced, or created."""
    container = situation.observed.containers.get(spec.name)
    if container is None or ResourceId.container(spec.name) in situation.in_flight:
        return True
    if isinstance(container.status, Running):
        return spec.name in situation.replacing
    return isinstance(container.status, Created) or replacement_reason(situation, spec, container) is not None


def _is_starting(situation: Situation, spec: ContainerSpec) -> bool:
    """Whether it runs as it should be, and its health is not known yet."""
    container = situation.observed.containers.get(spec.name)
    if container is None or not isinstance(container.status, Running) or _is_under_way(situation, spec):
        return False
    return (
        container.status.health.status is HealthStatus.STARTING
        and replacement_reason(situation, spec, container) is None
    )


def _started_at(situation: Situation, spec: ContainerSpec) -> float:
    """0 for one that has not been replaced yet."""
    container = situation.observed.containers.get(spec.name)
    if container is None or not isinstance(container.status, Running):
        return 0.0
    return 0.0 if replacement_reason(situation, spec, container) else container.status.started_at
