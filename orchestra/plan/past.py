"""What there was at a moment, from the events until then. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.event import ContainerEvent, HealthEvent, SnapshotEvent
from orchestra.model.health import HealthStatus
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.model.event import Event


class PastContainer(Record):
    """state: created, running or exited. since: Unix time, 0 if no event tells. exit_code: of the last end."""

    name: str
    service: str
    state: str
    since: float = 0.0
    exit_code: int | None = None
    oom_killed: bool = False
    health: HealthStatus = HealthStatus.NONE


def containers_at(events: Iterable[Event], moment: float) -> list[PastContainer]:
    """By name. events: in any order; moment: Unix seconds."""
    found: dict[str, PastContainer] = {}
    for event in sorted((event for event in events if event.at <= moment), key=lambda event: event.at):
        match event:
            case SnapshotEvent(containers=containers):
                found = {
                    each.name: replace(found[each.name], health=each.health)
                    if each.name in found and found[each.name].state == each.state
                    else PastContainer(each.name, each.service, each.state, health=each.health)
                    for each in containers
                }
            case ContainerEvent(container=name, change="removed"):
                found.pop(name, None)
            case ContainerEvent(container=name, service=service, change=change):
                state = "running" if change == "started" else change
                found[name] = PastContainer(name, service, state, event.at, event.exit_code, event.oom_killed)
            case HealthEvent(container=name) if name in found:
                found[name] = replace(found[name], health=event.health.status)
            case _:
                pass
    return [found[name] for name in sorted(found)]
