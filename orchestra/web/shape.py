"""What the page is told about containers, events and plans: values for JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.event import BlockedEvent, PullEvent, SnapshotEvent
from orchestra.stacks.graph import describe_one
from orchestra.stacks.sensitive import is_secret_by_name, secrets_in
from orchestra.stacks.told import Tone, describe_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from orchestra.model.event import Event
    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.graph import Graph
    from orchestra.stacks.history import RevisionDetails
    from orchestra.stacks.stats import StatsRow
    from orchestra.stacks.timeline import Segment, Timeline

    Data = dict[str, Any]

MASK = "••••••"


def state_data(rows: Iterable[ContainerRow]) -> Data:
    return {"containers": [_container(row) for row in rows]}


def _container(row: ContainerRow) -> Data:
    mood, word = describe_one(row)
    return {
        "name": row.name,
        "service": row.service,
        "index": row.index,
        "mood": str(mood),
        "word": word,
        "state": row.state,
        "health": str(row.health.status),
        "image": row.image,
        "ports": list(row.ports),
        "networks": list(row.networks),
        "started": row.started_at,
        "restarts": row.restarts,
        "error": row.error or row.damage,
        "one_off": row.one_off,
    }


def usage_data(rows: Iterable[StatsRow]) -> Data:
    """By container: percent of a processor, bytes of memory and of its limit, received and sent, processes."""
    return {
        row.name: [
            round(row.processor, 2),
            row.usage.memory,
            row.usage.memory_limit,
            row.usage.received,
            row.usage.sent,
            row.usage.processes,
        ]
        for row in rows
    }


def graph_data(graph: Graph) -> Data:
    return {
        "stack": graph.stack,
        "nodes": [{"name": node.name, "layer": node.layer} for node in graph.nodes],
        "edges": [
            {"source": edge.source, "target": edge.target, "condition": edge.condition, "required": edge.required}
            for edge in graph.edges
        ],
    }


def event_data(event: Event) -> Data | None:
    """at, what, subject, detail, and whether it is bad; None for what only says how far something has got."""
    if isinstance(event, SnapshotEvent | PullEvent) or (isinstance(event, BlockedEvent) and not event.blocked):
        return None
    told = describe_event(event)
    return {
        "at": event.at,
        "what": told.what,
        "subject": str(told.subject or ""),
        "detail": "; ".join([*([told.detail] if told.detail else []), *told.lines]),
        "bad": told.tone is Tone.BAD,
    }


def timeline_data(timeline: Timeline, most: int) -> Data:
    """most: of the segments, the last ones."""
    return {
        "began": timeline.began,
        "ended": timeline.ended,
        "segments": [_segment(each) for each in timeline.segments[-most:]],
        "path": [_segment(each) for each in timeline.path[-most:]],
    }


def _segment(each: Segment) -> Data:
    return {
        "subject": each.subject,
        "part": str(each.part),
        "began": each.began,
        "ended": each.ended,
        "failed": each.failed,
    }


def revision_data(details: RevisionDetails) -> Data:
    """Possible secrets are already left out of the changes."""
    return {
        "number": details.revision.number,
        "images": dict(details.revision.images),
        "differences": [
            {
                "resource": str(each.resource),
                "verb": each.verb,
                "changes": [{"path": c.path, "before": c.before, "after": c.after} for c in each.changes],
            }
            for each in details.differences
        ],
    }


def inspected_data(details: Mapping[str, Any]) -> Data:
    """details: in Docker's shape. Values that may be secrets are masked."""
    config, host = details["Config"], details["HostConfig"]
    return {
        "id": details["Id"],
        "image": config["Image"],
        "digest": details["Image"],
        "command": [mask(word) for word in (details["Path"], *details["Args"]) if word],
        "user": config["User"],
        "directory": config["WorkingDir"],
        "created": details["Created"],
        "restarts": details["RestartCount"],
        "state": details["State"],
        "restart": host["RestartPolicy"]["Name"],
        "memory_limit": host["Memory"],
        "processors": host["NanoCpus"] / 1e9,
        "environment": [_variable(entry) for entry in config["Env"]],
        "labels": sorted(([key, masked(key, value)] for key, value in config["Labels"].items())),
        "mounts": [
            {
                "type": each["Type"],
                "source": each.get("Name") or each["Source"],
                "target": each["Destination"],
                "writable": each["RW"],
            }
            for each in details["Mounts"]
        ],
        "networks": [
            {"name": name, "address": each.get("IPAddress", ""), "aliases": list(each.get("Aliases") or ())}
            for name, each in details["NetworkSettings"]["Networks"].items()
        ],
        "ports": _ports(details["NetworkSettings"]["Ports"]),
    }


def _ports(ports: Mapping[str, Sequence[Mapping[str, str]] | None]) -> list[str]:
    published = [f"{at['HostIp']}:{at['HostPort']} → {port}" for port, places in ports.items() for at in places or ()]
    return published + [port for port, places in ports.items() if not places]


def _variable(entry: str) -> list[str]:
    name, _, value = entry.partition("=")
    return [name, masked(name, value)]


def masked(name: str, value: str) -> str:
    return MASK if is_secret_by_name(name, value) else mask(value)


def mask(value: str) -> str:
    return MASK if any(secrets_in(value)) else value
