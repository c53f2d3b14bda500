"""What of a stack is in a cluster, and how it is taken away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestra.cluster.change import Effect
from orchestra.cluster.deploy import wait_until_gone
from orchestra.cluster.kinds import CLAIM, NAME, Key
from orchestra.cluster.rollout import troubles
from orchestra.errors import UserError
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.cluster.api import Api
    from orchestra.cluster.kinds import Object


class Pod(NamedTuple):
    """status: its phase, or what is wrong. ready: of so many containers. started_at: as the API writes times."""

    name: str
    service: str
    status: str
    ready: int
    containers: int
    restarts: int
    node: str
    started_at: str


def pods(api: Api, stack: str, services: Sequence[str] = ()) -> tuple[Pod, ...]:
    """By name. services: names of workloads, empty for all."""
    found = [_pod(item) for item in api.pods(stack)]
    return tuple(sorted(pod for pod in found if not services or pod.service in services))


def find_pod(api: Api, stack: str, service: str, index: int | None) -> str:
    """A running pod of a workload: this one, counted by name from 1, or the first. Raises UserError."""
    running = [pod for pod in pods(api, stack, [service]) if pod.status == "Running"]
    if not running:
        raise UserError(f'service "{service}" is not running', hint="see orchestra ps --driver kubernetes")
    if index is not None and not 0 < index <= len(running):
        raise UserError(f'service "{service}" has no container {index}: {len(running)} pods run')
    return running[(index or 1) - 1].name


def _pod(item: Object) -> Pod:
    status = item.get("status") or {}
    states = status.get("containerStatuses") or ()
    phase = "Terminating" if item["metadata"].get("deletionTimestamp") else status.get("phase", "Unknown")
    return Pod(
        name=item["metadata"]["name"],
        service=(item["metadata"].get("labels") or {}).get(NAME, ""),
        status=next(iter(troubles(item)), phase),
        ready=sum(bool(state.get("ready")) for state in states),
        containers=len((item.get("spec") or {}).get("containers") or ()),
        restarts=sum(int(state.get("restartCount") or 0) for state in states),
        node=(item.get("spec") or {}).get("nodeName", ""),
        started_at=str(status.get("startTime") or ""),
    )


def removable(api: Api, stack: str, *, volumes: bool) -> tuple[Key, ...]:
    """What ``down`` removes, in its order. volumes: claims too, with the data."""
    return tuple(key for key in reversed(api.of_stack(stack)) if volumes or key.kind != CLAIM)


def remove(
    api: Api,
    stack: str,
    keys: Sequence[Key],
    tell: Callable[[str, str], object],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Raises FatalError for what does not go."""
    for key in keys:
        api.delete(key)
    wait_until_gone(api, stack, keys, clock, pause)
    for key in keys:
        tell(str(key), Effect.REMOVED)
