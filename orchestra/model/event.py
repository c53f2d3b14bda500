"""What happened, as a closed union. Append-only: user interfaces, logs and tests are consumers of the same stream."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestra.model.observed import Health
from orchestra.model.resource import ResourceId


class Phase(StrEnum):
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ActionEvent:
    """An action began or ended. verb: create, start, stop, remove or pull; service: that of a container.

    cancelled: it was given up because something else is wanted now. in_use: it failed because another stack uses what
    should be removed.
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


@dataclass(frozen=True, slots=True)
class PullEvent:
    """How far the pull of an image is: ``fetched`` of ``total`` bytes of its layers."""

    at: float
    resource: ResourceId
    fetched: int
    total: int


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """A container changed by itself or by an action. change: created, started, exited or removed."""

    at: float
    container: str
    service: str
    change: str
    exit_code: int | None = None
    oom_killed: bool = False


@dataclass(frozen=True, slots=True)
class HealthEvent:
    at: float
    container: str
    service: str
    health: Health


@dataclass(frozen=True, slots=True)
class Awaited:
    """Something that takes its time. what: ``to be healthy``.

    by: the resource that it keeps waiting; service: that of ``by``, empty if that is no container.
    """

    resource: ResourceId
    what: str
    by: ResourceId
    service: str = ""


@dataclass(frozen=True, slots=True)
class BlockedEvent:
    """The set of blocked resources changed: each with the reason in words."""

    at: float
    blocked: tuple[tuple[ResourceId, str], ...]
    awaited: tuple[Awaited, ...] = ()


@dataclass(frozen=True, slots=True)
class ConvergedEvent:
    """Observed equals desired. failed: resources that never will by themselves, as ``kind/name: why``."""

    at: float
    failed: tuple[str, ...] = ()


Event = ActionEvent | PullEvent | ContainerEvent | HealthEvent | BlockedEvent | ConvergedEvent
