"""When the hooks of a container run: ``post_start`` after a command has started it, ``pre_stop`` before it is stopped.

As in Docker Compose, they belong to commands: a run that a restart policy begins has no ``post_start``, unless the run
before it ended with some of them left; and what ends by itself or is killed has no ``pre_stop``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.observed import Running
from orchestra.model.resource import ResourceId
from orchestra.plan.action import RunHooks, StopContainer
from orchestra.plan.verdict import Blocked

if TYPE_CHECKING:
    from orchestra.model.observed import Container
    from orchestra.plan.situation import Situation


def run_hooks(container: Container, running: Running) -> RunHooks | Blocked | None:
    """The ``post_start`` hooks that are left. A paused container cannot run any, so they wait."""
    if not container.hooks_left:
        return None
    if running.paused:
        return Blocked(ResourceId.container(container.name), "is paused, so its post_start hooks cannot run")
    reason = f"has started: {_count(len(container.hooks_left), 'post_start')}"
    hooks, done = container.post_start, container.hooks_done
    return RunHooks(container.name, hooks, done, container.config_hash, running.started_at, reason)


def stop(situation: Situation, container: Container, reason: str, *, replaces: bool = False) -> StopContainer:
    """Stop a running container: its ``pre_stop`` hooks first, unless there is no time for them, or it is paused.

    Once it was asked to stop, they are over, even if another supervisor goes on.
    """
    timeout = situation.stop_timeout(container)
    status = container.status
    held = not isinstance(status, Running) or status.paused or status.stopping or timeout <= 0
    hooks = () if held else container.pre_stop
    if hooks:
        reason = f"{reason}; first {_count(len(hooks), 'pre_stop')}"
    return StopContainer(container.name, container.stop_signal, timeout, reason, hooks, replaces)


def _count(number: int, kind: str) -> str:
    return f"its {kind} hook" if number == 1 else f"its {number} {kind} hooks"
