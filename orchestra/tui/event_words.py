"""Events as lines of text. Pure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.text import Text

from orchestra.model.event import (
    ActionEvent,
    AskedEvent,
    BlockedEvent,
    ContainerEvent,
    ConvergedEvent,
    FileEvent,
    HealthEvent,
    Phase,
    PullEvent,
    SkippedEvent,
)
from orchestra.model.health import HealthStatus
from orchestra.tui.rows import BAD, FAINT, GOOD, WAITS
from orchestra.tui.words import describe_bytes
from orchestra.visible import visible

if TYPE_CHECKING:
    from orchestra.model.event import Change
    from orchestra.model.resource import ResourceId

PHASES = {
    Phase.STARTED: ("begins", FAINT),
    Phase.DONE: ("is done", ""),
    Phase.FAILED: ("failed", BAD),
    Phase.CANCELLED: ("was given up", WAITS),
}
HEALTH = {HealthStatus.HEALTHY: GOOD, HealthStatus.UNHEALTHY: BAD}


def event_text(stack: str, event: Change) -> Text:
    """``12:34:56  shop  container shop-web-1 started``; one line."""
    what, style = describe_event(event)
    line = Text.assemble((f"{time.strftime('%H:%M:%S', time.localtime(event.at))}  ", FAINT))
    line.append(f"{visible(stack)}  ")
    line.append(visible(what), style)
    return line


def describe_event(event: Change) -> tuple[str, str]:
    """In words, with its style."""
    match event:
        case ActionEvent(resource=resource, phase=phase):
            (word, style), detail = PHASES[phase], event.error or event.reason
            return f"{event.verb} {_name(resource)} {word}" + (f": {detail}" if detail else ""), style
        case ContainerEvent(container=name, change=change):
            code = "" if event.exit_code is None else f" with exit code {event.exit_code}"
            oom = ", out of memory" if event.oom_killed else ""
            return f"container {name} {change}{code}{oom}", BAD if event.exit_code else ""
        case HealthEvent(container=name, health=health):
            detail = health.failure if health.status is HealthStatus.UNHEALTHY else ""
            return f"container {name} is {health.status}" + (f": {detail}" if detail else ""), HEALTH.get(
                health.status, ""
            )
        case BlockedEvent(blocked=blocked):
            if not blocked:
                return "nothing waits any more", ""
            (first, why), *others = blocked
            return f"{_name(first)}: {why}" + (f", and {len(others)} more" if others else ""), WAITS
        case ConvergedEvent(failed=failed):
            if failed:
                return f"as asked for, but for what failed: {'; '.join(failed)}", BAD
            return "everything is as asked for", GOOD
        case AskedEvent(author=author):
            return f"asked for by {author.user or 'unknown'}: orchestra {author.command}", "bold"
        case FileEvent(edit=edit):
            return f"files {event.change}" + (f": {edit.place}{edit.error}" if edit and edit.error else ""), ""
        case PullEvent(resource=resource):
            return f"{_name(resource)}: {describe_bytes(event.fetched)} of {describe_bytes(event.total)}", FAINT
        case SkippedEvent(resource=resource, reason=reason):
            return f"{_name(resource)} skipped: {reason}", FAINT


def _name(resource: ResourceId) -> str:
    return f"{resource.kind} {resource.name}"
