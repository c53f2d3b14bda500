"""From the events of an ``up`` to its phases, which become spans. Pure."""

from __future__ import annotations

from orchestra.model.event import ActionEvent, ContainerEvent, HealthEvent, Phase
from orchestra.model.health import HealthStatus
from orchestra.record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestra.model.event import Event
    from orchestra.model.request import Step

PLAN, HEALTH = "plan", "wait for health"
"""PLAN: what lies between the command's own work and the first action: the supervisor starts, looks and plans."""


class Span(Record):
    """subject: ``kind/name``; empty for what concerns all. Times are Unix seconds. error: empty if it succeeded."""

    name: str
    began: float
    ended: float
    subject: str = ""
    service: str = ""
    reason: str = ""
    error: str = ""


def find_spans(steps: Sequence[Step], events: Iterable[Event]) -> list[Span]:
    """What has come to an end, in this order. steps: what the command did before it asked the supervisor."""
    found = [Span(step.what, step.began, step.ended) for step in steps]
    begun: dict[tuple[str, str], Span] = {}
    planned = False

    def begin(span: Span) -> None:
        begun[span.subject, span.name] = span

    def end(subject: str, name: str, at: float, error: str = "") -> None:
        if span := begun.pop((subject, name), None):
            found.append(replace(span, ended=max(at, span.began), error=error))

    for event in events:
        match event:
            case ActionEvent(at=at, verb=verb, resource=resource, phase=Phase.STARTED):
                if steps and not planned:
                    found.append(Span(PLAN, steps[-1].ended, max(at, steps[-1].ended)))
                planned = True
                begin(Span(verb, at, at, str(resource), event.service, event.reason))
            case ActionEvent(at=at, verb=verb, resource=resource, phase=phase):
                error = event.error or ("" if phase is Phase.DONE else phase.value)
                end(str(resource), verb, at, error)
            case ContainerEvent(at=at, container=name, change="started"):
                begin(Span(HEALTH, at, at, f"container/{name}", event.service))
            case ContainerEvent(container=name, change="exited"):
                end(f"container/{name}", HEALTH, event.at, _end_of(event))
            case HealthEvent(container=name, health=health) if health.status is HealthStatus.HEALTHY:
                end(f"container/{name}", HEALTH, event.at)
            case HealthEvent(container=name, health=health) if health.status is HealthStatus.UNHEALTHY:
                end(f"container/{name}", HEALTH, event.at, health.failure or "unhealthy")
            case _:
                pass
    return found


def _end_of(event: ContainerEvent) -> str:
    return "ended" if event.exit_code is None else f"ended with exit code {event.exit_code}"
