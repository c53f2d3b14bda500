"""Failures in a fake world: scripted for one call, or random from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from orchestra.errors import DriverError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SLOW = 60.0
"""Seconds."""


@dataclass(slots=True)
class Faults:
    """scripted: errors for the next calls, by (method, resource name), each used once.

    random: source of all chance. error_share: calls that raise TemporaryError, before or after their effect.
    slow_share: calls that take up to ``SLOW``. latency: the longest that another call takes beyond its program's time,
    in seconds. lost_share, repeated_share and late_share: of events. visit: called with the name of every await point
    before it; may cancel the caller. raised: how many calls have failed by chance.
    """

    scripted: dict[tuple[str, str], list[DriverError]] = field(default_factory=dict)
    random: Random = field(default_factory=lambda: Random(0))
    error_share: float = 0.0
    slow_share: float = 0.0
    latency: float = 0.0
    lost_share: float = 0.0
    repeated_share: float = 0.0
    late_share: float = 0.0
    visit: Callable[[str], None] | None = None
    raised: int = 0

    def fail(self, method: str, name: str, errors: Iterable[DriverError]) -> None:
        """Have the next calls of ``method`` on ``name`` raise these, one each."""
        self.scripted.setdefault((method, name), []).extend(errors)

    def raise_scripted(self, method: str, name: str) -> None:
        errors = self.scripted.get((method, name))
        if errors:
            raise errors.pop(0)

    def raise_by_chance(self, method: str, name: str) -> None:
        if self._happens(self.error_share):
            self.raised += 1
            raise TemporaryError(f"{method} {name}: the fake world had a bad moment")

    def pause(self) -> float:
        """Seconds that the next await point takes."""
        if self._happens(self.slow_share):
            return self.random.uniform(self.latency, SLOW)
        return self.random.uniform(0.0, self.latency) if self.latency else 0.0

    def end(self) -> None:
        """From now on no call fails by chance or is slow, and every event arrives at once."""
        self.error_share = self.slow_share = self.lost_share = self.repeated_share = self.late_share = 0.0

    def deliveries(self) -> list[float]:
        """Delays in seconds of one event, one for each delivery; empty if it is lost."""
        if self._happens(self.lost_share):
            return []
        count = 2 if self._happens(self.repeated_share) else 1
        return [self.random.uniform(0.0, 2.0) if self._happens(self.late_share) else 0.0 for _ in range(count)]

    def _happens(self, share: float) -> bool:
        return share > 0.0 and self.random.random() < share
