"""A plan that is looked at before it is carried out: ``plan --out`` writes it, ``apply`` reads it."""

from __future__ import annotations

from orchestra.model.desired import Desired
from orchestra.model.request import Changes
from orchestra.record import Record


class ReviewedPlan(Record):
    """version: of the program that made it. home: the directory of data that it is for. at: Unix time.

    actions: in their order, as ``plan`` shows them. changes, desired: what ``up`` was going to ask for.
    """

    version: str
    home: str
    at: float
    actions: tuple[str, ...]
    changes: Changes
    desired: Desired
