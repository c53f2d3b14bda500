"""What happened, as a closed union. Append-only: user interfaces, logs and tests all read the same stream."""

from __future__ import annotations

from enum import StrEnum

from orchestra.model.codec import decode, tagged
from orchestra.model.edit import Edit
from orchestra.model.health import Health
from orchestra.model.request import Step
from orchestra.model.resource import ResourceId
from orchestra.model.result import ContainerState
from orchestra.model.revision import Author
from orchestra.record import Record


class Phase(StrEnum):
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@tagged
class ActionEvent(Record):
    """An action began or ended. verb: create, start, hook, drain, stop, remove or pull; service: that of a
    container.

    cancelled: given up because something else is wanted now. in_use: it failed because another stack uses what it
    should remove. replaces: of a container that makes way for another one of its name. output: the end of what
    its successful hooks have written.
    """

    at: float
    verb: str
    resource: ResourceId
    phase: Phase
    reason: str = ""
    error: str = ""
    hint: str = ""
    seconds: float = 0.0
    in_use: bool = False
    service: str = ""
    replaces: bool = False
    output: str = ""


@tagged
class PullEvent(Record):
    """Progress of the pull of an image: ``fetched`` of ``total`` bytes of its layers."""

    at: float
    resource: ResourceId
    fetched: int
    total: int


@tagged
class SkippedEvent(Record):
    """Nothing is done about a resource that a command names."""

    at: float
    resource: ResourceId
    reason: str


@tagged
class ContainerEvent(Record):
    """A container changed by itself or by an action. change: created, started, exited or removed."""

    at: float
    container: str
    service: str
    change: str
    exit_code: int | None = None
    oom_killed: bool = False


@tagged
class HealthEvent(Record):
    """What probes of a container have shown. health: with ``status``, and the last probe's ``output``.

    status: ``starting``, ``healthy`` or ``unhealthy``.
    """

    at: float
    container: str
    service: str
    health: Health


class Awaited(Record):
    """A condition that takes time. what: ``to be healthy``.

    by: the resource that waits; service: that of ``by``, empty if it is not a container.
    """

    resource: ResourceId
    what: str
    by: ResourceId
    service: str = ""


@tagged
class BlockedEvent(Record):
    """The set of blocked resources changed: each with the reason in words."""

    at: float
    blocked: tuple[tuple[ResourceId, str], ...]
    awaited: tuple[Awaited, ...] = ()


@tagged
class ConvergedEvent(Record):
    """Observed equals desired. failed: resources that never will by themselves, as ``kind/name: why``.

    wanted_at: Unix time of the last command that changed what is desired.
    """

    at: float
    failed: tuple[str, ...] = ()
    wanted_at: float = 0.0


@tagged
class AskedEvent(Record):
    """A command has asked for the stack to be up. steps: what it did before."""

    at: float
    author: Author
    steps: tuple[Step, ...] = ()

    @property
    def began(self) -> float:
        return self.steps[0].began if self.steps else self.at


class FileChange(StrEnum):
    """FOLLOWED: the files are followed from now on. APPLIED, REFUSED: they have changed. LEFT: it is over."""

    FOLLOWED = "followed"
    APPLIED = "applied"
    REFUSED = "refused"
    LEFT = "left"


@tagged
class FileEvent(Record):
    """About the files of a stack that is followed. edit: what came of a change."""

    at: float
    change: FileChange
    edit: Edit | None = None


@tagged
class SnapshotEvent(Record):
    """The state at the time a client begins to listen: the first event, which the next ones change.

    containers: all of them, sorted by name; under_way: actions that have begun and not ended; blocked: as in
    ``BlockedEvent``.
    """

    at: float
    containers: tuple[ContainerState, ...]
    under_way: tuple[ActionEvent, ...] = ()
    blocked: tuple[tuple[ResourceId, str], ...] = ()


Change = (
    ActionEvent
    | PullEvent
    | SkippedEvent
    | ContainerEvent
    | HealthEvent
    | BlockedEvent
    | ConvergedEvent
    | AskedEvent
    | FileEvent
)
Event = Change | SnapshotEvent


def decode_event(value: object) -> Event:
    """What ``orchestra.model.codec.encode`` made of an event. Raises ValueError."""
    event: Event = decode(Event, value)  # type: ignore[arg-type]  # a union, which the codec knows to take
    return event
