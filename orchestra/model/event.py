"""What happened, as a closed union. Append-only: user interfaces, logs and tests are consumers of the same stream."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestra.model.observed import Health


class Phase(StrEnum):
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ActionEvent:
    """An action began or ended. verb: create, start, stop, remove or pull; resource: ``kind/name``.

    in_use: it failed because another stack uses what should be removed.
    """

    at: float
    verb: str
    resource: str
    phase: Phase
    reason: str = ""
    error: str = ""
    hint: str = ""
    seconds: float = 0.0
    in_use: bool = False


@dataclass(frozen=True, slots=True)
class PullEvent:
    """How far the pull of an image is: ``fetched`` of ``total`` bytes of its layers. resource: ``image/key``."""

    at: float
    resource: str
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
    """Something that takes its time. resource: ``kind/name``; what: ``to be healthy``.

    by: the resource that it keeps waiting; service: that of ``by``, empty if that is no container.
    """

    resource: str
    what: str
    by: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class BlockedEvent:
    """The set of blocked resources changed: ``kind/name`` to the reason in words."""

    at: float
    blocked: tuple[tuple[str, str], ...]
    awaited: tuple[Awaited, ...] = ()


@dataclass(frozen=True, slots=True)
class ConvergedEvent:
    """Observed equals desired. failed: resources that never will by themselves, as ``kind/name: why``."""

    at: float
    failed: tuple[str, ...] = ()


Event = ActionEvent | PullEvent | ContainerEvent | HealthEvent | BlockedEvent | ConvergedEvent
