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
    under_way: list[str] = []
    probed: list[str] = []
    latest = 0.0  # the start of the last one that is as it should be
    for other in situation.replicas[spec.service]:
        if other.name == spec.name:
            continue
        container = situation.observed.containers.get(other.name)
        status = None if container is None else container.status
        is_new = container is not None and replacement_reason(situation, other, container) is None
        if isinstance(status, Running) and is_new:
            latest = max(latest, status.started_at)
        if container is None or ResourceId.container(other.name) in situation.in_flight:
            under_way.append(other.name)
        elif isinstance(status, Running):
            if other.name in situation.replacing:
                under_way.append(other.name)
            elif is_new and status.health.status is HealthStatus.STARTING:
                probed.append(other.name)
        elif isinstance(status, Created) or not is_new:
            under_way.append(other.name)
    if len(under_way) + len(probed) >= update.parallelism:
        reason = f"{why}; waits for {', '.join((*under_way, *probed))}, at most {update.parallelism} at a time"
        awaited = tuple((ResourceId.container(name), "to be healthy") for name in probed)
        return Blocked(resource, reason, situation.resources((*under_way, *probed)), awaited=awaited)
    until = latest + update.delay
    if until > situation.now:
        return Blocked(resource, f"{why}; waits {update.delay:g} s between replicas", until=until)
    return None
