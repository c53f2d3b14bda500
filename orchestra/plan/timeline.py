"""Where the time of an ``up`` went: the phases of each resource, and the critical path through them. Pure.

The critical path is found backwards from the end: before each phase on it comes the one that it waited for and that
ended last. Of a container that is created these are its image, networks and volumes; of one that is started, its
creation and its dependencies. What lies between two of them is the supervisor's own time. So the path has no
gaps, and its pieces add up to the whole.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.model.container import Condition
from orchestra.model.event import ActionEvent, AskedEvent, ContainerEvent, ConvergedEvent, HealthEvent, Phase
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Verb
from orchestra.model.resource import Kind
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.event import Change

COMMAND = "up"
"""The subject of what a command did before it asked."""
NEAR = 0.005
"""Seconds by which the end of a cause may be noted after the beginning of what it led to."""
SUPERVISOR = "supervisor"
"""The subject of the pieces of the path between two phases."""


class Part(StrEnum):
    """The phases of resources. DEPENDENCIES: it is made, and waits for others. HEALTH: from its start to its first
    good probe. RUN: another one waits for its end. IDLE: the supervisor's own time, or nothing at all.
    """

    LOAD = "load"
    BUILD = "build"
    PROVIDE = "provide"
    PULL = "pull"
    CHECK = "check"
    CREATE = "create"
    DEPENDENCIES = "wait for dependencies"
    START = "start"
    HOOK = "hook"
    DRAIN = "drain"
    HEALTH = "wait for health"
    RUN = "run"
    STOP = "stop"
    REMOVE = "remove"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    IDLE = "idle"


class Segment(NamedTuple):
    """subject: ``kind/name``. Times are Unix seconds. failed: it came to nothing, or is not over."""

    subject: str
    part: Part
    began: float
    ended: float
    failed: bool = False

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Timeline(NamedTuple):
    """segments: sorted by their beginning; path: without gaps from ``began`` to ``ended``."""

    began: float
    ended: float
    segments: tuple[Segment, ...]
    path: tuple[Segment, ...]

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def last_up(events: Sequence[Change], desired: Desired) -> Timeline | None:
    """Of the last time that a command asked for the stack, until everything was as it should be, healthy included; or
    until the last event, if it is not.

    None if no events of one are kept. desired: with the dependencies.
    """
    place = max((place for place, event in enumerate(events) if isinstance(event, AskedEvent)), default=None)
    if place is None:
        return None
    asked = events[place]
    assert isinstance(asked, AskedEvent)
    # Its actions may have been noted just before it.
    since = [event for event in events if event.at >= asked.at and event is not asked]
    last = since[-1].at if since else asked.at
    # What was desired before may have been reached meanwhile.
    reached = (event for event in since if isinstance(event, ConvergedEvent) and event.wanted_at >= asked.at)
    converged = next((event.at for event in reached), None)
    segments = find_segments([asked, *since], desired, last)
    if converged is not None:
        segments = [each for each in segments if each.began <= converged]
    ended = max((each.ended for each in segments if not each.failed or converged is None), default=asked.at)
    return _timeline(asked.began, max(ended, asked.at), segments, desired)


def between(events: Sequence[Change], desired: Desired, began: float, ended: float) -> Timeline:
    """Of this time. desired: with the dependencies."""
    cut = [
        each._replace(began=max(began, each.began), ended=min(ended, each.ended))
        for each in find_segments(events, desired, ended)
        if each.ended >= began and each.began <= ended
    ]
    return _timeline(began, ended, cut, desired)


def find_segments(events: Iterable[Change], desired: Desired, last: float) -> list[Segment]:
    """The phases that these events began or ended. last: when those that are not over are cut off."""
    found: list[Segment] = []
    begun: dict[tuple[str, Part], float] = {}

    def end(subject: str, part: Part, at: float, *, failed: bool = False) -> None:
        began = begun.pop((subject, part), None)
        if began is not None:
            found.append(Segment(subject, part, began, at, failed))

    for event in events:
        match event:
            case AskedEvent(steps=steps):
                found += [Segment(COMMAND, Part(step.what), step.began, step.ended) for step in steps]
            case ActionEvent(resource=resource, phase=Phase.STARTED):
                if event.verb == Verb.START:
                    end(str(resource), Part.DEPENDENCIES, event.at)
                begun[str(resource), Part(event.verb)] = event.at
            case ActionEvent(resource=resource):
                end(str(resource), Part(event.verb), event.at, failed=event.phase is not Phase.DONE)
                if event.phase is Phase.DONE and event.verb == Verb.CREATE and resource.kind is Kind.CONTAINER:
                    begun[str(resource), Part.DEPENDENCIES] = event.at
            case ContainerEvent(container=name, change="started"):
                begun[f"container/{name}", Part.RUN] = event.at
                begun[f"container/{name}", Part.HEALTH] = event.at
            case ContainerEvent(container=name, change="exited"):
                end(f"container/{name}", Part.RUN, event.at, failed=event.exit_code != 0)
                begun.pop((f"container/{name}", Part.HEALTH), None)
            case HealthEvent(container=name, health=health) if health.status is not HealthStatus.STARTING:
                end(f"container/{name}", Part.HEALTH, event.at, failed=health.status is not HealthStatus.HEALTHY)
            case _:
                pass
    awaited = {name for spec in desired.containers for name in _awaited(desired, spec, Condition.COMPLETED)}
    found += [
        Segment(subject, part, began, max(began, last), failed=True)
        for (subject, part), began in begun.items()
        if part is not Part.RUN and (part is not Part.HEALTH or _is_probed(desired, subject))
    ]
    return sorted(
        (each for each in found if each.part is not Part.RUN or each.subject in awaited),
        key=lambda each: (each.began, each.ended, each.subject),
    )


def _timeline(began: float, ended: float, segments: list[Segment], desired: Desired) -> Timeline:
    return Timeline(began, ended, tuple(segments), tuple(_find_path(began, ended, segments, desired)))


def _find_path(began: float, ended: float, segments: Sequence[Segment], desired: Desired) -> list[Segment]:
    work = [each for each in segments if each.part is not Part.DEPENDENCIES]
    path: list[Segment] = []
    at, after = ended, None
    while at > began:
        before = [each for each in work if each.ended <= at + NEAR and each.began < at]
        causes = [each for each in before if after is not None and _leads_to(each, after, desired)]
        chosen = max(causes or before, key=lambda each: (each.ended, each.began), default=None)
        reached = began if chosen is None else min(at, max(began, chosen.ended))
        if reached < at:
            path.append(Segment(SUPERVISOR, Part.IDLE, reached, at))
        if chosen is None or chosen.ended <= began:
            break
        path.append(chosen._replace(began=max(began, chosen.began), ended=reached))
        at, after = max(began, chosen.began), chosen
    return path[::-1]


def _leads_to(before: Segment, after: Segment, desired: Desired) -> bool:
    """Whether the second could begin only after the end of the first."""
    if before.subject == COMMAND:
        return after.subject == COMMAND
    if before.subject == after.subject:
        return True
    spec = desired.container(after.subject.removeprefix("container/"))
    if spec is None:
        return False
    if after.part is Part.CREATE:
        return before.subject.startswith(("image/", "network/", "volume/")) and before.part is not Part.REMOVE
    if after.part is Part.START:
        return (
            (before.part is Part.HEALTH and before.subject in _awaited(desired, spec, Condition.HEALTHY))
            or (before.part is Part.RUN and before.subject in _awaited(desired, spec, Condition.COMPLETED))
            or (before.part is Part.START and before.subject in _awaited(desired, spec, Condition.STARTED))
        )
    return False


def _awaited(desired: Desired, spec: ContainerSpec, condition: Condition) -> set[str]:
    """The containers that this one waits for, until they are like that."""
    return {
        f"container/{other.name}"
        for each in spec.depends_on
        if each.condition is condition
        for other in desired.replicas(each.service)
    }


def _is_probed(desired: Desired, subject: str) -> bool:
    spec = desired.container(subject.removeprefix("container/"))
    return spec is not None and spec.healthcheck is not None
