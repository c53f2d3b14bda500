"""What came of a scenario."""

from __future__ import annotations

from enum import StrEnum

from orchestra.record import Record


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Result(Record):
    """steps: those that were begun, and so the failed one last. reason: for a failure, or for skipping it.

    logs: the last lines of all containers, if it failed. again: the command that simulates just this failure.
    """

    file: str
    scenario: str
    outcome: Outcome
    seconds: float = 0.0
    steps: tuple[str, ...] = ()
    reason: str = ""
    logs: tuple[str, ...] = ()
    again: str = ""
