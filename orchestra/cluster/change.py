"""What a pass over a cluster changes, on which terms, and what every pass has."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.cluster.kinds import Key, Object

Cluster = TypeVar("Cluster")


class Effect(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    REMOVED = "removed"


class Change(Record):
    """before, after: the object, None where it does not exist."""

    key: Key
    effect: Effect
    before: Object | None = None
    after: Object | None = None


class Terms(Record):
    """force: take over fields that others manage. dry: ask what would change, and change nothing. wait: until all pods
    are available and jobs have completed, for so many seconds. roll_back: after a failure.
    """

    force: bool = False
    dry: bool = False
    wait: bool = True
    seconds: float = 600.0
    roll_back: bool = True


class Pass(Generic[Cluster]):
    """tell: hears what happens, of which object. clock: seconds; pause: waits so many."""

    def __init__(
        self,
        cluster: Cluster,
        stack: str,
        terms: Terms,
        tell: Callable[[str, str], object],
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._cluster = cluster
        self._stack = stack
        self._terms = terms
        self._tell = tell
        self._clock = clock
        self._pause = pause
        self._told: dict[str, str] = {}
        self._changes: list[Change] = []

    def _say(self, subject: str, text: str) -> None:
        """Once, until it changes."""
        if self._told.get(subject) != text:
            self._told[subject] = text
            self._tell(subject, text)
