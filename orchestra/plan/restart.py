"""Docker's restart policies: whether and when a container that ended by itself runs again.

Source: Docker's restart manager. The first restart comes at once (Docker's after 100 ms). The second waits 200 ms, and
the wait doubles with every short run, up to 60 s; a run of 10 s or more resets it. ``on-failure`` looks at the exit
code, ``always`` and ``unless-stopped`` do not; stopping by command is ``Request.stopped``, not part of this policy.
``deploy.restart_policy`` may set the wait, how long a run must be to count as successful, and how many runs may fail
(Compose Specification, deploy).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.container import RestartPolicy
from orchestra.named_tuple import NamedTuple
from orchestra.plan.backoff import delay
from orchestra.units import format_bytes

if TYPE_CHECKING:
    from orchestra.model.container import Restart
    from orchestra.model.observed import Container, Exited

STEADY = 10.0
"""Seconds of running after which the back-off is reset."""


class NextRun(NamedTuple):
    """When the next run begins (Unix seconds), and the counts after it."""

    at: float
    restarts: int
    backoff: int
    reason: str


def next_run(policy: Restart, container: Container, ended: Exited) -> NextRun | None:
    """The next run of an exited container by its policy; None if it is not restarted."""
    in_a_row = 0 if ended.finished_at - ended.started_at >= (policy.window or STEADY) else container.backoff
    if not _restarts(policy, in_a_row if policy.window else container.restarts, ended):
        return None
    pause = policy.delay or (delay(in_a_row) if in_a_row else 0.0)
    reason = f"{exit_text(ended)}; restart policy {policy.policy}"
    return NextRun(ended.finished_at + pause, container.restarts + 1, in_a_row + 1, reason)


def _restarts(policy: Restart, retries: int, ended: Exited) -> bool:
    may = policy.maximum_retries is None or retries < policy.maximum_retries
    match policy.policy:
        case RestartPolicy.NO:
            return False
        case RestartPolicy.ALWAYS | RestartPolicy.UNLESS_STOPPED:
            return may
        case RestartPolicy.ON_FAILURE:
            return may and not ended.succeeded


def exit_text(ended: Exited, limit: int | None = None) -> str:
    """``exited (1)``, in the words of Docker's messages; limit: the memory (bytes) that it was allowed to use."""
    code = "unknown" if ended.exit_code is None else ended.exit_code
    if not ended.oom_killed:
        return f"exited ({code})"
    return f"exited ({code}, out of memory{f': its limit is {format_bytes(limit)}' if limit else ''})"
