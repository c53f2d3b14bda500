"""``orchestra events``: print events as they happen, until interrupted."""

from __future__ import annotations

import json
import time

from orchestra.cli.moments import parse_seconds
from orchestra.model.event import ActionEvent, ContainerEvent, HealthEvent, Phase, SnapshotEvent
from orchestra.model.resource import Kind
from orchestra.stacks.events import Span, container_ids, follow_events
from orchestra.stacks.told import describe_event
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.model.event import Change, Event


CHANGES = {"created": "create", "started": "start", "exited": "die", "removed": "destroy"}
"""Docker's words for kinds of resources."""


def run(invocation: Invocation) -> int:
    context, values, now = invocation.context, invocation.values, time.time()
    since, until = (
        None if values[name] is None else parse_seconds(f"--{name}", values[name], now) for name in ("since", "until")
    )
    if values["driver"]:
        from orchestra.cli.elsewhere import show_events

        return show_events(invocation, Span(since, until))
    ids: dict[str, str] = {}

    def show(event: Event) -> None:
        if isinstance(event, SnapshotEvent):
            return  # ``ps`` shows that
        if not values["json"]:
            print(render_event(event), flush=True)
        elif row := as_data(event):
            if row["type"] == "container":
                name = row["attributes"]["name"]
                if name not in ids or row["action"] == "create":
                    ids.update(container_ids(context))
                row["id"] = ids.get(name, "")
            print(json.dumps(row, separators=(",", ":")), flush=True)

    follow_events(context, values["services"], Span(since, until), show)
    return 0


def as_data(event: Change) -> dict[str, Any] | None:
    """The event with Docker Compose's keys and words; None if Docker Compose has no such event."""
    match event:
        case ContainerEvent():
            kind, name, action = "container", event.container, CHANGES.get(event.change, event.change)
            attributes = {"name": name}
            if event.exit_code is not None:
                attributes["exitCode"] = str(event.exit_code)
        case HealthEvent(health=health):
            kind, name, action = "container", event.container, f"health_status: {health.status}"
            attributes = {"name": name}
        case ActionEvent(resource=resource, phase=Phase.FAILED):
            kind, name, action = str(resource.kind), resource.name, f"{event.verb} failed"
            attributes = {"name": name, "error": event.error}
        case ActionEvent(resource=resource, phase=Phase.DONE) if (
            resource.kind is not Kind.CONTAINER or event.verb == "stop"
        ):
            kind, name, action = str(resource.kind), resource.name, event.verb
            attributes = {"name": name}
        case _:
            return None
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(event.at)) + f".{int(event.at % 1 * 1e6):06d}Z"
    service = getattr(event, "service", "")
    row = {"time": moment, "type": kind, "service": service, "id": name, "action": action}
    return {**row, "attributes": attributes}


def render_event(event: Change) -> str:
    """Its time, kind of resource, what happened, its name, and details in brackets; further lines are indented."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.at)) + f".{int(event.at % 1 * 1e6):06d}"
    told = describe_event(event)
    what = told.what if told.subject is None else f"{told.subject.kind} {told.what} {told.subject.name}"
    head = f"{moment} {what}" + (f" ({told.detail})" if told.detail else "")
    return "\n".join([visible(head), *(visible(f"  {line}") for line in told.lines)])
