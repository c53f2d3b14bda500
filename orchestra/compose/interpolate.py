"""``$NAME`` and ``${NAME…}`` in the values of a document (never in its keys).

Operators, with ``word`` and ``message`` interpolated themselves, and only when they are used:
``:-`` ``-`` default, ``:?`` ``?`` required, ``:+`` ``+`` alternative; with the colon an empty value counts as unset.
``$$`` is a literal ``$``. A ``$`` that begins none of these stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestra.compose.nodes import Map, Node, Path, Scalar, Seq
from orchestra.errors import Span

if TYPE_CHECKING:
    from orchestra.compose.problems import Problems

Lookup = Callable[[str], str | None]
_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATOR = re.compile(r":\?|\?|:-|-|:\+|\+")


class InterpolationError(Exception):
    """``offset`` is the index of the offending ``$`` in the text; code: ``interpolation`` or ``missing-variable``."""

    def __init__(self, code: str, message: str, offset: int, length: int, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset
        self.length = length
        self.hint = hint


def substitute(text: str, lookup: Lookup, unset: Callable[[str, int], None], base: int = 0) -> str:
    """The text with its variables replaced. ``unset`` hears of each variable that became empty for want of a value.

    ``base`` is the offset of ``text`` in the whole that errors and ``unset`` refer to. Raises InterpolationError.
    """
    out: list[str] = []
    position = 0
    while True:
        dollar = text.find("$", position)
        if dollar < 0 or dollar == len(text) - 1:
            out.append(text[position:])
            return "".join(out)
        out.append(text[position:dollar])
        following = text[dollar + 1]
        if following == "$":
            out.append("$")
            position = dollar + 2
        elif following == "{":
            close = _closing_brace(text, dollar + 2)
            if close < 0:
                raise _invalid(text[dollar:], base + dollar)
            out.append(_braced(text[dollar + 2 : close], lookup, unset, base + dollar))
            position = close + 1
        elif match := _NAME.match(text, dollar + 1):
            out.append(_value(match[0], lookup, unset, base + dollar))
            position = match.end()
        else:
            out.append("$")
            position = dollar + 1


def _closing_brace(text: str, start: int) -> int:
    depth = 0
    for index in range(start, len(text)):
        if text[index] == "{":
            depth += 1
        elif text[index] == "}":
            if depth == 0:
                return index
            depth -= 1
    return -1


def _invalid(text: str, offset: int) -> InterpolationError:
    shown = text if len(text) <= 40 else text[:39] + "…"
    return InterpolationError(
        "interpolation",
        f"{shown} is not a valid variable reference",
        offset,
        len(text),
        "write ${NAME} or ${NAME:-default}; a literal $ is written $$",
    )


def _value(name: str, lookup: Lookup, unset: Callable[[str, int], None], offset: int) -> str:
    value = lookup(name)
    if value is None:
        unset(name, offset)
        return ""
    return value


def _braced(inner: str, lookup: Lookup, unset: Callable[[str, int], None], offset: int) -> str:
    """What ``${inner}`` stands for; ``offset`` is that of its ``$``."""
    match = _NAME.match(inner)
    if match is None:
        raise _invalid("${" + inner + "}", offset)
    name, rest = match[0], inner[match.end() :]
    if not rest:
        return _value(name, lookup, unset, offset)
    operator = _OPERATOR.match(rest)
    if operator is None:
        raise _invalid("${" + inner + "}", offset)
    word = rest[operator.end() :]
    word_at = offset + 2 + match.end() + operator.end()
    value = lookup(name)
    is_present = bool(value) if operator[0].startswith(":") else value is not None
    if operator[0].endswith("+"):
        return substitute(word, lookup, unset, word_at) if is_present else value or ""
    if is_present:
        return value or ""
    if operator[0].endswith("-"):
        return substitute(word, lookup, unset, word_at)
    message = substitute(word, lookup, unset, word_at)
    raise InterpolationError(
        "missing-variable",
        f"required variable {name} is missing a value" + (f": {message}" if message else ""),
        offset,
        len(inner) + 3,
        f"set {name} in the environment or in the .env file",
    )


def interpolate(document: Map, lookup: Lookup, problems: Problems) -> Map:
    """The document with every string value interpolated; errors and warnings point at the variable."""
    result = _interpolate(document, (), lookup, problems, {})
    assert isinstance(result, Map)
    return result


def _interpolate(node: Node, path: Path, lookup: Lookup, problems: Problems, done: dict[int, Node]) -> Node:
    known = done.get(id(node))
    if known is not None:
        return known  # an aliased value: the same text, the same result
    result: Node = node
    if isinstance(node, Map):
        items = {key: _interpolate(item, (*path, key), lookup, problems, done) for key, item in node.items.items()}
        result = Map(items, node.keys, node.span, node.tag)
    elif isinstance(node, Seq):
        parts = tuple(_interpolate(item, (*path, i), lookup, problems, done) for i, item in enumerate(node.items))
        result = Seq(parts, node.span, node.tag)
    elif isinstance(node.value, str) and "$" in node.value:
        result = _interpolate_scalar(node, node.value, path, lookup, problems)
    done[id(node)] = result
    return result


def _interpolate_scalar(node: Scalar, text: str, path: Path, lookup: Lookup, problems: Problems) -> Scalar:
    def unset(name: str, offset: int) -> None:
        problems.warn(
            "unset-variable",
            f"the variable {name} is not set; an empty string is used",
            _inside(node, text, offset, len(name) + 1, problems),
            path,
            f"set {name} in the environment or in .env, give a default as ${{{name}:-…}}, or write $$ for a literal $",
        )

    try:
        value = substitute(text, lookup, unset)
    except InterpolationError as error:
        place = _inside(node, text, error.offset, error.length, problems)
        problems.error(error.code, error.message, place, path, error.hint)
        return node
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
