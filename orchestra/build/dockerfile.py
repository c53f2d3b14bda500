"""The text of a Dockerfile as stages of typed instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.build.instruction import Arg, From, Instruction
from orchestra.build.lines import Directives, read_lines
from orchestra.build.parse import parse_instruction
from orchestra.build.problem import Wrong, diagnose, refuse
from orchestra.errors import Span
from orchestra.record import Record

if TYPE_CHECKING:
    from orchestra.errors import Diagnostic


class Stage(Record):
    """index: from 0. beginning: its FROM."""

    index: int
    beginning: From
    instructions: tuple[Instruction, ...]

    @property
    def name(self) -> str:
        """In lower case; empty if it has none."""
        return self.beginning.name


class Dockerfile(Record):
    """name: of the file. source: its lines. arguments: ARG instructions before the first FROM."""

    name: str
    source: tuple[str, ...]
    directives: Directives
    arguments: tuple[Arg, ...]
    stages: tuple[Stage, ...]


def parse_dockerfile(text: str, name: str = "Dockerfile") -> Dockerfile:
    """name: of the file, for errors. Raises DockerfileError with all the mistakes that the text alone shows."""
    read = read_lines(text, name)
    problems: list[Diagnostic] = list(read.problems)
    arguments: list[Arg] = []
    stages: list[tuple[From, list[Instruction]]] = []
    has_lost_stage = False
    for line in read.lines:
        try:
            one = parse_instruction(line, read.directives.escape)
            if isinstance(one, From):
                stages.append((one, []))
            elif stages:
                stages[-1][1].append(one)
            elif isinstance(one, Arg):
                arguments.append(one)
            elif not has_lost_stage:
                has_lost_stage = True
                raise Wrong(
                    f"no build stage in current context: {line.keyword.upper()} comes before the first FROM",
                    "a Dockerfile begins with FROM; only ARG may stand before it",
                )
        except Wrong as error:
            has_lost_stage = has_lost_stage or line.keyword.upper() == "FROM"
            place = line.place(*error.part) if error.part else line.span
            problems.append(diagnose(read.source, error.message, place, error.hint))
    if not stages and not problems:
        span = Span(name, 1, 1, 1, 2)
        what = "dockerfile contains no stages to build" if read.lines else "file with no instructions"
        problems.append(diagnose(read.source, what, span, "a Dockerfile begins with FROM"))
    refuse(problems)
    return Dockerfile(
        name,
        read.source,
        read.directives,
        tuple(arguments),
        tuple(Stage(index, start, tuple(body)) for index, (start, body) in enumerate(stages)),
    )
