"""Whether a stack is as it should be, service by service. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.model.health import HealthStatus
from orchestra.model.observed import Exited, Running
from orchestra.plan.causes import Evidence, Explainer
from orchestra.plan.plan import plan
from orchestra.plan.removal import orphans
from orchestra.record import Record

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed


class Verdict(StrEnum):
    """CONVERGED: everything is as it should be, and healthy. CONVERGING: it is on the way. FAILED: it will not become
    so by itself, or a program keeps failing. DOWN: nothing is asked for.
    """

    CONVERGED = "converged"
    CONVERGING = "converging"
    FAILED = "failed"
    DOWN = "down"


class ServiceStanding(Record):
    """running, wanted: numbers of containers. cause: what is the matter with it, in words. wrong: whether something is.

    because: the container, image, network or volume that it is about, if that is not its own container.
    """

    service: str
    running: int
    wanted: int
    cause: str
    wrong: bool
    because: str = ""


class StackStanding(Record):
    """services: in the order of the file, without those of inactive profiles. orphans: containers that no service
    declares.
    """

    verdict: Verdict
    services: tuple[ServiceStanding, ...] = ()
    orphans: tuple[str, ...] = ()


def standing(desired: Desired, observed: Observed, now: float) -> StackStanding:
    """observed: with the failures that are known. now: Unix seconds."""
    there = tuple(orphans(desired, observed))
    if desired.is_down:
        return StackStanding(Verdict.CONVERGING if observed.containers else Verdict.DOWN, orphans=there)
    explainer = Explainer(desired, observed, now, lambda _container: Evidence())
    rows = []
    for service in desired.services:
        if service in desired.disabled:
            continue
        specs = desired.replicas(service)
        cause = explainer.explain(service)[-1]
        own = {service, *(spec.name for spec in specs)}
        running = sum(_runs(observed, spec) for spec in specs)
        because = "" if cause.subject in own else cause.subject
        rows.append(ServiceStanding(service, running, len(specs), cause.what, cause.wrong, because))
    step = plan(desired, observed, {}, now)
    if step.failed or any(_is_bad(desired, observed, spec) for spec in desired.of_services):
        verdict = Verdict.FAILED
    elif step.ready or step.blocked or any(row.wrong for row in rows):
        verdict = Verdict.CONVERGING
    else:
        verdict = Verdict.CONVERGED
    return StackStanding(verdict, tuple(rows), there)


def _runs(observed: Observed, spec: ContainerSpec) -> bool:
    container = observed.containers.get(spec.name)
    return container is not None and isinstance(container.status, Running)


def _is_bad(desired: Desired, observed: Observed, spec: ContainerSpec) -> bool:
    """Whether waiting alone may not help."""
    container = observed.containers.get(spec.name)
    if container is None or desired.wish_of(spec).rests:
        return False
    match container.status:
        case Running() as running:
            return running.paused or running.health.status is HealthStatus.UNHEALTHY
        case Exited() as ended:
            return not ended.succeeded
        case _:
            return bool(container.error)
