"""The parts of a template. column: where a part begins, from 1."""

from __future__ import annotations

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Literal(Record):
    column: int
    value: Any


class Dot(Record):
    """``.``"""

    column: int


class Variable(Record):
    """``$name``; ``$`` is the value that the template is executed on."""

    column: int
    name: str


class Field(Record):
    """``.A.B``, alone or after another value, such as ``$x.A`` or ``(index .A 0).B``."""

    column: int
    of: Operand
    names: tuple[str, ...]


class Function(Record):
    """A function by its name; without arguments it stands for its result."""

    column: int
    name: str


class Command(Record):
    """A value, or a function or method with its arguments."""

    column: int
    operands: tuple[Operand, ...]


class Pipeline(Record):
    """The result of each command is the last argument of the next. declares: variables that get the result, two
    only in ``range``. assigns: they exist already.
    """

    column: int
    commands: tuple[Command, ...]
    declares: tuple[str, ...] = ()
    assigns: bool = False


class Text(Record):
    text: str


class Output(Record):
    pipeline: Pipeline


class If(Record):
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


class With(Record):
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


class Range(Record):
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


if TYPE_CHECKING:
    Operand = Literal | Dot | Variable | Field | Function | Pipeline
    Node = Text | Output | If | With | Range
