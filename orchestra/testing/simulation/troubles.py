"""What goes wrong in a simulated life. When exactly is up to its seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.driver.fake.faults import Faults
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


class Troubles(Record):
    """crashes: how often the supervisor dies in the middle of something. drift: how often a container is killed or
    removed, or the rules of the networks are, by another program. clock_jumps: how often its clock is set.
    illnesses: how often the health checks of a service fail for a while.

    errors: share of calls that fail, before or after their effect; slow: share that takes up to a minute; latency: the
    most that the others take, in seconds. lost, doubled, late: shares of events.
    """

    crashes: int = 0
    drift: int = 0
    clock_jumps: int = 0
    illnesses: int = 0
    errors: float = 0.0
    slow: float = 0.0
    latency: float = 0.0
    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0

    def faults(self, chance: Random, visit: Callable[[str], None]) -> Faults:
        return Faults(
            random=chance,
            error_share=self.errors,
            slow_share=self.slow,
            latency=self.latency,
            lost_share=self.lost,
            repeated_share=self.doubled,
            late_share=self.late,
            visit=visit,
        )


PEACE = Troubles()


def draw_troubles(chance: Random, *, drift: bool = True, illness: bool = False) -> Troubles:
    """Some of everything. drift: whether others may do something to the containers. illness: whether these may fail."""
    return Troubles(
        crashes=chance.randint(0, 5),
        drift=chance.choice([0, 0, 1, 3]) if drift else 0,
        clock_jumps=chance.choice([0, 0, 0, 1, 2]),
        illnesses=chance.choice([0, 0, 1, 2]) if illness else 0,
        errors=chance.random() * 0.1,
        slow=chance.choice([0.0, 0.0, 0.02]),
        latency=chance.choice([0.0, 0.1, 1.0]),
        lost=chance.random() * 0.3,
        doubled=chance.random() * 0.3,
        late=chance.random() * 0.5,
    )
