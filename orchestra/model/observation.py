"""What a supervisor answers to who wants to see everything, see ``orchestra.model.request``."""

from __future__ import annotations

from orchestra.model.desired import Desired
from orchestra.model.observed import Observed
from orchestra.record import Record


class ObserveResult(Record):
    observed: Observed
    desired: Desired


class ForeseeResult(Record):
    """desired: what would be desired after such an ``up``; current: what is now, None where that is not known.

    damage: what is wrong with the file that tells what is desired now: at most one sentence.
    """

    observed: Observed
    desired: Desired
    current: Desired | None = None
    damage: tuple[str, ...] = ()
