"""What has happened to objects of a stack, as a cluster tells it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from orchestra.cluster.tasks import NAMESPACE, SERVICE
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.cluster.kinds import Object


class ClusterEvent(NamedTuple):
    """at: Unix seconds. service: empty if it is of none."""

    at: float
    kind: str
    name: str
    service: str
    action: str
    message: str


def of_kubernetes(item: Object, workloads: Collection[str]) -> ClusterEvent | None:
    """None for one of other objects than these workloads and what belongs to them."""
    subject = item.get("involvedObject") or {}
    name = str(subject.get("name") or "")
    owners = [workload for workload in workloads if name == workload or name.startswith(f"{workload}-")]
    if not owners:
        return None
    series = item.get("series") or {}
    moments = (series.get("lastObservedTime"), item.get("lastTimestamp"), item.get("eventTime"))
    moment = next(filter(None, moments), None) or item["metadata"].get("creationTimestamp")
    return ClusterEvent(
        at=datetime.fromisoformat(moment).timestamp() if moment else 0.0,
        kind=str(subject.get("kind") or "").lower(),
        name=name,
        service=max(owners, key=len),
        action=str(item.get("reason") or ""),
        message=str(item.get("message") or "").strip(),
    )


def of_swarm(item: Object, stack: str) -> ClusterEvent | None:
    """None for one of another stack. Only containers have labels; other objects are known by their names."""
    actor = item.get("Actor") or {}
    known = actor.get("Attributes") or {}
    kind, name = str(item.get("Type") or ""), str(known.get("name") or actor.get("ID") or "")
    if known.get(NAMESPACE) != stack and not name.startswith(f"{stack}_"):
        return None
    full = name if kind == "service" else str(known.get(SERVICE) or "")
    action, _, detail = str(item.get("Action") or "").partition(": ")
    changes = [f"{key.removesuffix('.new')} {value}" for key, value in sorted(known.items()) if key.endswith(".new")]
    code = [f"exit code {known['exitCode']}"] if "exitCode" in known else []
    return ClusterEvent(
        at=int(item.get("timeNano") or 0) / 1e9,
        kind=kind,
        name=name,
        service=full.removeprefix(f"{stack}_"),
        action=action,
        message=", ".join(filter(None, (detail, *changes, *code))),
    )
