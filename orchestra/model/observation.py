"""A supervisor's answer to a request to see everything, see ``orchestra.model.request``."""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.model.desired import Desired
from orchestra.model.observed import Failure, Observed
from orchestra.model.resource import ResourceId
from orchestra.record import Record


class ObserveResult(Record):
    """failures: what the supervisor has tried without success since the last command, by resource."""

    observed: Observed
    desired: Desired
    failures: Mapping[ResourceId, Failure] = {}


class ForeseeResult(Record):
    """desired: what would be desired after such an ``up``; current: what is desired now, None if unknown.

    damage: what is wrong with the file of the current desired state: at most one sentence.
    """

    observed: Observed
    desired: Desired
    current: Desired | None = None
    damage: tuple[str, ...] = ()
