"""``orchestra events``: what happens, as it happens, until interrupted."""

from __future__ import annotations

import json
import time

from orchestra.model.codec import encode
from orchestra.model.event import (
    ActionEvent,
    BlockedEvent,
    ContainerEvent,
    ConvergedEvent,
    HealthEvent,
    PullEvent,
    SkippedEvent,
    SnapshotEvent,
)
from orchestra.model.health import HealthStatus
from orchestra.model.resource import ResourceId
from orchestra.stacks.events import follow_events
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.model.event import Change, Event


def run(invocation: Invocation) -> int:
    as_json = invocation.values["json"]

    def show(event: Event) -> None:
        if isinstance(event, SnapshotEvent):
            return  # ``ps`` shows that
        print(json.dumps(encode(event)) if as_json else render_event(event), flush=True)

    follow_events(invocation.context, invocation.values["services"], show)
    return 0


def render_event(event: Change) -> str:
    """One line: time, kind of resource, what happened, its name, and details in brackets."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.at)) + f".{int(event.at % 1 * 1e6):06d}"
    detail = ""
    match event:
        case ActionEvent(resource=resource):
            what, detail = f"{event.verb} {event.phase}", event.error or event.reason
        case ContainerEvent():
            resource, what = ResourceId.container(event.container), event.change
            detail = "" if event.exit_code is None else f"exit code {event.exit_code}"
            detail += ", out of memory" if event.oom_killed else ""
        case HealthEvent(health=health):
            resource, what = ResourceId.container(event.container), str(health.status)
            detail = health.output.strip()
            if health.exit_code and health.status is HealthStatus.UNHEALTHY:
                detail = f"exit code {health.exit_code}: {detail}".removesuffix(": ")
        case BlockedEvent():
            return "\n".join([f"{moment} blocked", *(visible(f"  {name}: {why}") for name, why in event.blocked)])
        case ConvergedEvent():
            return "\n".join([f"{moment} converged", *(visible(f"  failed: {text}") for text in event.failed)])
        case PullEvent(resource=resource):
            what = f"pulled {event.fetched} of {event.total} bytes"
        case SkippedEvent(resource=resource):
            what, detail = "skipped", event.reason
    return visible(f"{moment} {resource.kind} {what} {resource.name}" + (f" ({detail})" if detail else ""))
