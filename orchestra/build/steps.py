"""The steps of a graph as they are made, and what is known of a stage that has become steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.build import instruction as typed
from orchestra.build.stages import NothingSource, StageSource
from orchestra.build.step import History, Label, Scratch, Step
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.build.configuration import ImageConfiguration
    from orchestra.build.lines import Line
    from orchestra.build.stages import NeededStage, Source, Stages

_SHOWN = (typed.Run, typed.Copy, typed.Add, typed.Workdir)


class Steps:
    """The steps of a graph: a step that equals another is the same."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.labels: dict[int, Label] = {}
        self.uncached: set[int] = set()
        self._numbers: dict[Step, int] = {}

    def add(self, step: Step, label: Label | None = None, uncached: bool = False) -> int:
        number = self._numbers.get(step)
        if number is None:
            number = self._numbers[step] = len(self.steps)
            self.steps.append(step)
        if label is not None:
            self.labels.setdefault(number, label)
        if uncached:
            self.uncached.add(number)
        return number


class Evaluated(Record):
    """A stage, or the part of it that has been evaluated.

    root: the step it began from. variables: environment and arguments. arguments: the names of ARG. is_known: whether
    the environment of its base is known. has_workdir: whether a WORKDIR of the Dockerfile counts.
    """

    tree: int
    root: int
    configuration: ImageConfiguration
    variables: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    history: tuple[History, ...] = ()
    is_known: bool = True
    has_workdir: bool = False


def label_of(stages: Stages, stage: NeededStage, place: tuple[int, int], text: str, line: Line) -> Label:
    """place: among the steps of the stage that are shown, counted from 1, and how many they are."""
    name = stage.stage.name or f"stage-{stage.stage.index}"
    shown = name if len(stages.dockerfile.stages) > 1 else ""
    return Label(shown, *place, text, line.span.line, line.end_line)


def step_count(stage: NeededStage) -> int:
    """How many of a stage's steps are shown."""
    return is_shown(stage.base) + sum(isinstance(one, _SHOWN) for one in stage.instructions)


def is_shown(base: Source) -> bool:
    return not isinstance(base, NothingSource | StageSource)


def base_of(source: Source, steps: Steps, done: Mapping[int, Evaluated]) -> int:
    """The step of the file tree that a source stands for. done: stages that have been evaluated."""
    match source:
        case StageSource(index):
            return done[index].tree
        case NothingSource():
            return steps.add(Scratch())
        case _:
            return steps.add(source)
