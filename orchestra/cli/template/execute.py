"""Executes the tree of a template on a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, assert_never

from orchestra.cli.template.error import TemplateError
from orchestra.cli.template.functions import FUNCTIONS, HEADING_FUNCTIONS, Unfit
from orchestra.cli.template.parse import parse_template
from orchestra.cli.template.syntax import (
    Dot,
    Field,
    Function,
    If,
    Literal,
    Output,
    Pipeline,
    Range,
    Text,
    Variable,
    With,
)
from orchestra.cli.template.values import Lazy, Method, plain
from orchestra.nearest import suggest
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from orchestra.cli.template.syntax import Command, Node, Operand


class Template:
    """begin: the first character of the template in ``text``. Raises TemplateError for an invalid template."""

    def __init__(self, text: str, *, begin: int = 0) -> None:
        self._nodes = parse_template(text, begin)

    def render(self, value: Any) -> str:
        """Raises TemplateError for fields that ``value`` lacks, and for values that do not fit a function."""
        return "".join(_Execution(value, FUNCTIONS).nodes(self._nodes, value))

    def render_headings(self, headings: Mapping[str, str]) -> str:
        """The header of a table; empty cells where a template does more than pick values."""
        done = ""
        try:
            for part in _Execution(headings, HEADING_FUNCTIONS).nodes(self._nodes, headings):
                done += part
        except TemplateError:
            return done
        return done


class _Execution:
    def __init__(self, root: Any, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._functions = functions
        self._variables: list[tuple[str, Any]] = [("", root)]

    def nodes(self, nodes: Iterable[Node], dot: Any) -> Iterator[str]:
        known = len(self._variables)
        for node in nodes:
            match node:
                case Text():
                    yield node.text
                case Output():
                    value = self._pipeline(node.pipeline, dot)
                    if not node.pipeline.declares:
                        yield visible(plain(value), lines=True)
                case If() | With():
                    yield from self._choose(node, dot)
                case Range():
                    yield from self._repeat(node, dot)
                case _:
                    assert_never(node)
        del self._variables[known:]

    def _choose(self, node: If | With, dot: Any) -> Iterator[str]:
        known = len(self._variables)
        value = self._pipeline(node.pipeline, dot)
        inner = value if isinstance(node, With) and value else dot
        yield from self.nodes(node.body if value else node.otherwise, inner)
        del self._variables[known:]

    def _repeat(self, node: Range, dot: Any) -> Iterator[str]:
        known = len(self._variables)
        names = node.pipeline.declares
        pairs = _pairs(self._commands(node.pipeline, dot), node.pipeline.column)
        for key, item in pairs:
            for name, value in zip(names, (key, item)[2 - len(names) :], strict=True):
                self._declare(name, value, assigns=node.pipeline.assigns)
            yield from self.nodes(node.body, item)
            del self._variables[known:]
        if not pairs:
            yield from self.nodes(node.otherwise, dot)

    def _pipeline(self, pipeline: Pipeline, dot: Any) -> Any:
        value = self._commands(pipeline, dot)
        for name in pipeline.declares:
            self._declare(name, value, assigns=pipeline.assigns)
        return value

    def _commands(self, pipeline: Pipeline, dot: Any) -> Any:
        given: tuple[Any, ...] = ()
        for command in pipeline.commands:
            given = (self._command(command, dot, given),)
        return given[0]

    def _declare(self, name: str, value: Any, *, assigns: bool) -> None:
        if not assigns:
            self._variables.append((name, value))
            return
        place = next(place for place in range(len(self._variables) - 1, -1, -1) if self._variables[place][0] == name)
        self._variables[place] = (name, value)

    def _command(self, command: Command, dot: Any, given: tuple[Any, ...]) -> Any:
        """given: the value from the pipe, if any."""
        first, rest = command.operands[0], command.operands[1:]
        if isinstance(first, Function):
            return self._call(first, [*(self._value(operand, dot) for operand in rest), *given])
        value = self._value(first, dot, called=bool(rest or given))
        if not rest and not given:
            return value
        arguments = [*(self._value(operand, dot) for operand in rest), *given]
        if not isinstance(value, Method):
            raise TemplateError(first.column, "only a function takes values", 'as in {{join .Names ","}}')
        try:
            return value.call(*arguments)
        except TypeError:
            raise TemplateError(first.column, "it takes one string", 'as in {{.Label "name"}}') from None

    def _call(self, function: Function, arguments: Sequence[Any]) -> Any:
        try:
            return self._functions[function.name](*arguments)
        except Unfit as error:
            raise TemplateError(function.column, f"{function.name} {error}") from None
        except (TypeError, IndexError):
            message = f"{function.name} does not take {len(arguments)} values"
            raise TemplateError(function.column, message) from None

    def _value(self, operand: Operand, dot: Any, *, called: bool = False) -> Any:
        """called: the value may be a method, which gets its arguments from the caller."""
        match operand:
            case Literal():
                return operand.value
            case Dot():
                return dot
            case Variable():
                return next(value for name, value in reversed(self._variables) if name == operand.name)
            case Field():
                value = self._value(operand.of, dot)
                for name in operand.names:
                    value = _field(value, name, operand.column)
                if isinstance(value, Method) and not called:
                    raise TemplateError(operand.column, f".{operand.names[-1]} needs a name", 'as in {{.Label "name"}}')
                return value
            case Function():
                return self._call(operand, [])
            case Pipeline():
                return self._pipeline(operand, dot)
            case _:
                assert_never(operand)


def _field(value: Any, name: str, column: int) -> Any:
    if value is None:
        raise TemplateError(column, f"there is no .{name}: what precedes it is nil", "test that with {{if}} first")
    if not isinstance(value, Mapping):
        raise TemplateError(column, f"there is no .{name} in {plain(value) or 'an empty text'}")
    if name not in value:
        raise TemplateError(column, f"there is no .{name}", suggest(f".{name}", [f".{key}" for key in value], "fields"))
    found = value[name]
    return found.compute() if isinstance(found, Lazy) else found


def _pairs(value: Any, column: int) -> list[tuple[Any, Any]]:
    """The pairs of ``range``: items with their indexes, values with their keys, or the numbers below a number."""
    if isinstance(value, Mapping):
        return [(key, _field(value, key, column)) for key in sorted(value)]
    if isinstance(value, int) and not isinstance(value, bool):
        return [(number, number) for number in range(value)]
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise TemplateError(column, f"range takes a list or a map, not {plain(value)}", "split makes a list of a text")
    return list(enumerate(value))
