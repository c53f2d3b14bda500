"""What an event says, in the words of all faces. Pure."""

from __future__ import annotations

from enum import Enum

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
from orchestra.model.resource import ResourceId
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.model.event import Change


class Tone(Enum):
    """How it is meant: for colours, and for signs beside them."""

    PLAIN = "plain"
    FAINT = "faint"
    GOOD = "good"
    WAITS = "waits"
    BAD = "bad"


class Told(Record):
    """subject: None for the whole stack. detail: why, or how it ended; empty for nothing. lines: further ones."""

    what: str
    subject: ResourceId | None = None
    detail: str = ""
    tone: Tone = Tone.PLAIN
    lines: tuple[str, ...] = ()


PHASES = {
    Phase.STARTED: Tone.FAINT,
    Phase.DONE: Tone.PLAIN,
    Phase.FAILED: Tone.BAD,
    Phase.CANCELLED: Tone.WAITS,
}
HEALTH = {HealthStatus.HEALTHY: Tone.GOOD, HealthStatus.UNHEALTHY: Tone.BAD}


def describe_event(event: Change) -> Told:
    """Not safe to show as it is: names and reasons may hold anything."""
    match event:
        case ActionEvent(resource=resource, phase=phase):
            return Told(f"{event.verb} {phase}", resource, event.error or event.reason, PHASES[phase])
        case ContainerEvent(exit_code=code):
            detail = "" if code is None else f"exit code {code}"
            detail += ", out of memory" if event.oom_killed else ""
            tone = Tone.BAD if code else Tone.PLAIN
            return Told(event.change, ResourceId.container(event.container), detail, tone)
        case HealthEvent(health=health):
            detail = health.output.strip()
            if health.exit_code and health.status is HealthStatus.UNHEALTHY:
                detail = f"exit code {health.exit_code}: {detail}".removesuffix(": ")
            tone = HEALTH.get(health.status, Tone.PLAIN)
            return Told(str(health.status), ResourceId.container(event.container), detail, tone)
        case BlockedEvent(blocked=blocked):
            lines = tuple(f"{name}: {why}" for name, why in blocked)
            return Told("blocked", tone=Tone.WAITS if lines else Tone.PLAIN, lines=lines)
        case ConvergedEvent(failed=failed):
            lines = tuple(f"failed: {text}" for text in failed)
            return Told("converged", tone=Tone.BAD if lines else Tone.GOOD, lines=lines)
        case AskedEvent(author=author):
            return Told(f"asked for by {author.user or 'unknown'}: {author.command}")
        case FileEvent(edit=edit):
            error = f"{edit.place}{edit.error}" if edit and edit.error else ""
            return Told(f"files {event.change}", detail=error, tone=Tone.BAD if error else Tone.PLAIN)
        case PullEvent(resource=resource):
            return Told(f"pulled {event.fetched} of {event.total} bytes", resource, tone=Tone.FAINT)
        case SkippedEvent(resource=resource):
            return Told("skipped", resource, event.reason, Tone.FAINT)
