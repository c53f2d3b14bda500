"""What happens during a build, as a closed union. Steps are told apart by their numbers in their ``Graph``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.record import Record

if TYPE_CHECKING:
    from orchestra.build.step import Graph


class Planned(Record):
    """The steps of a build are known. cached: those whose results are known too."""

    graph: Graph
    cached: frozenset[int]


class StepStarted(Record):
    step: int


class StepOutput(Record):
    """A line that the command of a step has written, or what the step waits for."""

    step: int
    line: str


class StepDone(Record):
    """seconds: how long it took. cached: another build had made it when it was its turn."""

    step: int
    seconds: float
    cached: bool = False


class StepFailed(Record):
    step: int
    seconds: float
    error: str


class StageOutput(Record):
    """Progress of what is no step: images that are made ready, layers that are written, names that are given.

    name: of the work, the same for all its lines. done: it is the last of them.
    """

    name: str
    line: str = ""
    seconds: float = 0.0
    done: bool = False


BuildEvent = Planned | StepStarted | StepOutput | StepDone | StepFailed | StageOutput
