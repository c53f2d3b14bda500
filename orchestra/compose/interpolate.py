"""``$NAME`` and ``${NAME…}`` in the values of a document (never in its keys).

Operators, with ``word`` and ``message`` interpolated themselves, and only when they are used:
``:-`` ``-`` default, ``:?`` ``?`` required, ``:+`` ``+`` alternative; with the colon an empty value counts as unset.
``$$`` is a literal ``$``. A ``$`` that begins none of these stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestra.compose.nodes import WRONG, Map, Node, Path, Scalar, Seq, wrong
from orchestra.errors import Span
from orchestra.named_tuple import NamedTuple
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.compose.problems import Problems

Lookup = Callable[[str], str | None]
_NAME = regex(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATOR = regex(r":\?|\?|:-|-|:\+|\+|\Z")
_BRACE = regex(r"[{}]")
MAXIMUM_DEPTH = 50
MAXIMUM_LENGTH = 1024**2
MAXIMUM_TOTAL = 64 * MAXIMUM_LENGTH
MAXIMUM_REFERENCES = 10_000
"""Of one text, and twenty times that in a document."""


class InterpolationError(Exception):
    """``offset`` is the index of the offending ``$`` in the text; code: ``interpolation`` or ``missing-variable``."""

    def __init__(self, code: str, message: str, offset: int, length: int, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset
        self.length = length
        self.hint = hint


class Reference(NamedTuple):
    """One variable in a text. operator: '' or one of ``:- - :? ? :+ +``, followed by word.

    offset and end: of the whole in the text; word_offset: of the word.
    """

    name: str
    operator: str
    word: str
    offset: int
    end: int
    word_offset: int


def references(text: str, base: int = 0) -> Iterator[str | Reference]:
    """A text split into literal parts and variables.

    ``base`` is the offset of ``text`` in the whole text that offsets refer to. Raises InterpolationError.
    """
    position = 0
    while True:
        dollar = text.find("$", position)
        if dollar < 0 or dollar == len(text) - 1:
            yield text[position:]
            return
        yield text[position:dollar]
        following = text[dollar + 1]
        if following == "$":
            yield "$"
            position = dollar + 2
        elif following == "{":
            close = _closing_brace(text, dollar + 2)
            if close < 0:
                raise _invalid(text[dollar:], base + dollar)
            yield _braced(text[dollar + 2 : close], base + dollar)
            position = close + 1
        elif match := _NAME.match(text, dollar + 1):
            position = match.end()
            yield Reference(match[0], "", "", base + dollar, base + position, base + position)
        else:
            yield "$"
            position = dollar + 1


def _closing_brace(text: str, start: int) -> int:
    depth = 0
    for match in _BRACE.finditer(text, start):
        if match[0] == "{":
            depth += 1
        elif depth == 0:
            return match.start()
        else:
            depth -= 1
    return -1


def _braced(inner: str, offset: int) -> Reference:
    """What ``${inner}`` says; ``offset`` is that of its ``$``."""
    match = _NAME.match(inner)
    operator = _OPERATOR.match(inner, match.end()) if match else None
    if match is None or operator is None:
        raise _invalid("${" + inner + "}", offset)
    end, word_offset = offset + len(inner) + 3, offset + 2 + operator.end()
    return Reference(match[0], operator[0], inner[operator.end() :], offset, end, word_offset)


def _invalid(text: str, offset: int) -> InterpolationError:
    shown = text if len(text) <= 40 else text[:39] + "…"
    return InterpolationError(
        "interpolation",
        f"{shown} is not a valid variable reference",
        offset,
        len(text),
        "write ${NAME} or ${NAME:-default}; for a literal $, write $$",
    )


def substitute(text: str, lookup: Lookup, unset: Callable[[str, int], None], base: int = 0, depth: int = 0) -> str:
    """The text with its variables replaced. ``unset`` is called for each variable that is empty because it is not set.

    ``base`` is the offset of ``text`` in the whole text that errors and ``unset`` refer to. Raises InterpolationError.
    """
    if depth > MAXIMUM_DEPTH:
        hint = "define some of the nested parts as variables in .env"
        raise InterpolationError("interpolation", "variables are nested too deeply", base, len(text), hint)
    parts: list[str] = []
    length = 0
    for part in references(text, base):
        parts.append(part if isinstance(part, str) else _evaluate(part, lookup, unset, depth))
        length += len(parts[-1])
        if length > MAXIMUM_LENGTH and len(parts) > 1:
            message = f"after interpolation this is longer than {MAXIMUM_LENGTH // 1024**2} MiB"
            raise InterpolationError("interpolation", message, base, len(text), "")
        if len(parts) > 2 * MAXIMUM_REFERENCES:
            message = f"this value has more than {MAXIMUM_REFERENCES} variables"
            raise InterpolationError("interpolation", message, base, len(text), "")
    return "".join(parts)


def _evaluate(reference: Reference, lookup: Lookup, unset: Callable[[str, int], None], depth: int) -> str:
    name, operator, word = reference[:3]
    value = lookup(name)
    if not operator:
        if value is None:
            unset(name, reference.offset)
        return value or ""
    is_present = bool(value) if operator.startswith(":") else value is not None
    if is_present != operator.endswith("+"):
        return value or ""
    if is_present or operator.endswith("-"):
        return substitute(word, lookup, unset, reference.word_offset, depth + 1)
    message = substitute(word, lookup, unset, reference.word_offset, depth + 1)
    raise InterpolationError(
        "missing-variable",
        f"required variable {name} is missing a value" + (f": {message}" if message else ""),
        reference.offset,
        reference.end - reference.offset,
        f"set {name} in the environment or in the .env file",
    )


def interpolate(document: Map, lookup: Lookup, problems: Problems) -> Map:
    """The document with every string value interpolated; errors and warnings point at the variable."""
    result = _Interpolation(lookup, problems).node(document, ())
    assert isinstance(result, Map)
    return result


class _Interpolation:
    """For one document. Aliased values are done once; how much variables add to the whole is limited."""

    def __init__(self, lookup: Lookup, problems: Problems) -> None:
        self.lookup = lookup
        self.problems = problems
        self.done: dict[int, Node] = {}
        self.total = 0
        self.references = 0

    def node(self, node: Node, path: Path) -> Node:
        if isinstance(node, Scalar):
            if not isinstance(node.value, str) or "$" not in node.value:
                return node
        elif (known := self.done.get(id(node))) is not None:
            return known  # an aliased value: the same text, the same result
        result: Node
        if isinstance(node, Map):
            items = {key: self.node(item, (*path, key)) for key, item in node.items.items()}
            result = Map(items, node.keys, node.span, node.tag)
        elif isinstance(node, Seq):
            parts = (self.node(item, (*path, index)) for index, item in enumerate(node.items))
            result = Seq(tuple(part for part in parts if part.tag != WRONG), node.span, node.tag)
        else:
            return self.scalar(node, str(node.value), path)
        self.done[id(node)] = result
        return result

    def scalar(self, node: Scalar, text: str, path: Path) -> Scalar:
        def unset(name: str, offset: int) -> None:
            if self.problems.has_enough_warnings:
                return
            self.problems.warn(
                "unset-variable",
                f"the variable {name} is not set; an empty string is used",
                _inside(node, text, offset, len(name) + 1, self.problems),
                path,
                f"set {name} in the environment or in .env, give a default as ${{{name}:-…}},"
                " or write $$ for a literal $",
            )

        value: str | None = None
        try:
            self.references += text.count("$")
            if self.references > 20 * MAXIMUM_REFERENCES:
                message = f"the file has more than {20 * MAXIMUM_REFERENCES} variables"
                raise InterpolationError("interpolation", message, 0, len(text), "")
            if self.total > MAXIMUM_TOTAL:
                message = f"after interpolation the file is longer than {MAXIMUM_TOTAL // 1024**2} MiB"
                raise InterpolationError("interpolation", message, 0, len(text), "")
            with self.problems.at(node.span, path):
                value = substitute(text, self.lookup, unset)
        except InterpolationError as error:
            place = _inside(node, text, error.offset, error.length, self.problems)
            self.problems.error(error.code, error.message, place, path, error.hint)
            return wrong(node.span)
        if value is None:
            return wrong(node.span)
        self.total += len(value)
        return Scalar(value, node.span, node.tag, node.plain)


def _inside(node: Scalar, text: str, offset: int, length: int, problems: Problems) -> Span:
    """The span of the ``$`` at ``offset`` of a scalar's value.

    Quotes, escapes, folding and indentation make the value differ from the text, but a ``$`` is almost never
    escaped: the n-th in the value is the n-th in the text.
    """
    remaining = text.count("$", 0, offset)
    span = node.span
    for number in range(span.line, span.end_line + 1):
        line = problems.line(Span(span.path, number, 1, number, 1))
        column = span.column - 1 if number == span.line else 0
        end = span.end_column - 1 if number == span.end_line else len(line)
        while (column := line.find("$", column, end)) >= 0:
            if remaining == 0:
                stop = min(column + length, max(end, column + 1))
                return Span(span.path, number, column + 1, number, stop + 1)
            remaining -= 1
            column += 1
    return span
