"""What a pass over a cluster changes, on which terms, and what every pass has."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from orchestra.errors import FatalError, OrchestraError, UserError
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from orchestra.cluster.kinds import Key, Object

PAUSE = 1.0
"""Seconds between two looks where nothing tells of changes."""
_LONGEST = 30.0


def pause_briefly(seconds: float) -> None:
    time.sleep(min(seconds, PAUSE))


class Progress(Protocol):
    """How far a workload is. done: it is ready, or has completed."""

    @property
    def done(self) -> bool: ...


Cluster = TypeVar("Cluster")
State = TypeVar("State", bound=Progress)


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


class Pass(ABC, Generic[Cluster, State]):
    """tell: hears what happens, of which object. clock: seconds; pause: waits for a change, at most so many."""

    def __init__(
        self,
        cluster: Cluster,
        stack: str,
        terms: Terms,
        tell: Callable[[str, str], object],
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = pause_briefly,
    ) -> None:
        self._cluster = cluster
        self._stack = stack
        self._terms = terms
        self._tell = tell
        self._clock = clock
        self._pause = pause
        self._deadline = clock() + terms.seconds
        self._told: dict[str, str] = {}
        self._changes: list[Change] = []
        self._begun: dict[str, Object] = {}

    @abstractmethod
    def _look(self) -> Mapping[str, State]:
        """How far those are that have begun. Raises FatalError if one has failed."""

    @abstractmethod
    def _awaited(self, name: str, item: Object, seen: Mapping[str, State]) -> Collection[str]:
        """What it still waits for before it may begin."""

    @abstractmethod
    def _begin(self, name: str, item: Object) -> Object:
        """Apply it; the object that is then looked for."""

    @abstractmethod
    def _trouble(self, unready: Sequence[str], seen: Mapping[str, State]) -> str:
        """What the cluster says is wrong with those that are not ready, or nothing."""

    @abstractmethod
    def _take_back(self) -> None:
        """Undo the changes; what cannot be undone is told."""

    def _in_order(self, workloads: Mapping[str, Object]) -> None:
        """Begin each as soon as what it needs is there, and wait until all are ready, as the terms say."""
        pending = dict(workloads)
        waits = self._terms.wait and not self._terms.dry
        while True:
            seen = self._look() if waits else {}
            awaited = {name: self._awaited(name, item, seen) if waits else () for name, item in pending.items()}
            ready = [name for name, others in awaited.items() if not others]
            for name in ready:
                self._begun[name] = self._begin(name, pending.pop(name))
            if ready:
                continue
            # A job that runs is as it should be, and yet may be waited for until it has completed.
            needed = {other for others in awaited.values() for other in others}
            unready = [name for name, state in seen.items() if not state.done or name in needed]
            if not (pending or unready):
                return
            if not unready:
                raise UserError(f"{next(iter(pending))} waits for what waits for it")
            trouble = self._trouble(unready, seen)
            if self._clock() >= self._deadline:
                text = f"{', '.join(unready)} not ready after {self._terms.seconds:g} seconds"
                raise FatalError(text, hint=trouble or "give it longer with --wait-timeout")
            self._pause(min(_LONGEST, self._deadline - self._clock()))

    @contextlib.contextmanager
    def _rolled_back(self) -> Iterator[None]:
        """Take back what was changed if what is within fails, as the terms say."""
        try:
            yield
        except (OrchestraError, KeyboardInterrupt) as failure:
            if self._terms.roll_back and not self._terms.dry:
                self._tell(self._stack, f"rolling back: {str(failure) or 'interrupted'}")
                self._take_back()
            raise

    def _say(self, subject: str, text: str) -> None:
        """Once, until it changes."""
        if self._told.get(subject) != text:
            self._told[subject] = text
            self._tell(subject, text)
