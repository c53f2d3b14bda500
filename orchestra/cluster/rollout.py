"""How far a workload is, from its status. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.cluster.kinds import DEPENDS_ON
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.cluster.kinds import Object

_HEALTHY, _COMPLETED = "service_healthy", "service_completed_successfully"
_HELD = frozenset(
    {
        *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CrashLoopBackOff"),
        *("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
    }
)
"""Why a container may wait that does not pass by itself."""


class Rollout(NamedTuple):
    """started: it has the pods of its newest template. done: they are all available, or a job has completed.

    failed: why it will never be, or empty. text: how far it is.
    """

    started: bool
    done: bool
    failed: str
    text: str


def rollout(item: Object) -> Rollout:
    """Of a Deployment, StatefulSet, DaemonSet or Job, as it was last seen."""
    status, spec = item.get("status") or {}, item.get("spec") or {}
    seen = status.get("observedGeneration", 0) >= item["metadata"].get("generation", 0)
    match item["kind"]:
        case "Job":
            return _job(status, int(spec.get("completions") or 1))
        case "DaemonSet":
            wanted = int(status.get("desiredNumberScheduled") or 0)
            updated, ready = (int(status.get(name) or 0) for name in ("updatedNumberScheduled", "numberAvailable"))
            total = wanted
        case "StatefulSet":
            wanted = int(spec.get("replicas", 1))
            updated, ready = (int(status.get(name) or 0) for name in ("updatedReplicas", "readyReplicas"))
            if status.get("currentRevision") and status.get("currentRevision") == status.get("updateRevision"):
                updated = max(updated, int(status.get("currentReplicas") or 0))
            total = int(status.get("replicas") or 0)
        case _:
            wanted = int(spec.get("replicas", 1))
            updated, ready = (int(status.get(name) or 0) for name in ("updatedReplicas", "availableReplicas"))
            total = int(status.get("replicas") or 0)
    started = seen and updated >= wanted
    done = started and ready >= wanted and total <= wanted
    return Rollout(started, done, _deadline(status) if seen else "", f"{min(ready, wanted)} of {wanted} pods available")


def _job(status: dict[str, Any], wanted: int) -> Rollout:
    conditions = _conditions(status)
    failed = conditions.get("Failed")
    why = f"it failed: {failed.get('message') or failed.get('reason')}" if failed else ""
    begun = bool(status.get("active") or status.get("succeeded") or status.get("failed"))
    return Rollout(begun, "Complete" in conditions, why, f"{int(status.get('succeeded') or 0)} of {wanted} completed")


def _deadline(status: dict[str, Any]) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return str(condition.get("message") or "it makes no progress")
    return ""


def _conditions(status: dict[str, Any]) -> dict[str, Any]:
    """Those that hold, by type."""
    return {entry["type"]: entry for entry in status.get("conditions") or () if entry.get("status") == "True"}


def awaits(item: Object, seen: Mapping[str, Rollout]) -> list[str]:
    """What a workload still waits for before it may be applied. seen: workloads of the stack, by their names."""
    text = (item["metadata"].get("annotations") or {}).get(DEPENDS_ON, "")
    found = []
    for part in filter(None, text.split(",")):
        name, _, condition = part.partition("=")
        state = seen.get(name)
        met = state is not None and (state.done if condition in (_HEALTHY, _COMPLETED) else state.started)
        if not met:
            found.append(name)
    return found


def troubles(pod: Object) -> list[str]:
    """Why containers of a pod do not run: ``ImagePullBackOff: ...``."""
    status = pod.get("status") or {}
    found = []
    for entry in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (entry.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _HELD:
            found.append(": ".join(filter(None, (waiting["reason"], waiting.get("message")))))
    return found
