"""The functions of templates: Go's own, and those that Docker adds (docs.docker.com, "Format command and log output").

A function raises ``Unfit`` for arguments that it does not accept. The value from ``|`` is its last argument.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping

from orchestra.cli.template.values import plain, to_json
from orchestra.regex import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Unfit(Exception):
    """The arguments of a function are wrong; the message follows the function's name."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit(f"takes a string, not {plain(value)}")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unfit(f"takes a whole number, not {plain(value)}")
    return value


def _items(value: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise Unfit(f"takes a list, not {plain(value)}")
    return value


def _join(items: Any, separator: Any) -> str:
    return _text(separator).join(plain(item) for item in _items(items))


def _split(text: Any, separator: Any) -> list[str]:
    return _text(text).split(separator) if _text(separator) else list(_text(text))


def _title(text: Any) -> str:
    return re.sub(r"(?<!\w)\w", lambda match: match[0].upper(), _text(text))


def _pad(text: Any, before: Any, after: Any) -> str:
    """Blanks around a text that is not empty."""
    return f"{' ' * _number(before)}{text}{' ' * _number(after)}" if _text(text) else ""


def _truncate(text: Any, length: Any) -> str:
    return _text(text)[: _number(length)]


def _print(*values: Any) -> str:
    """Put blanks only between two values that are not strings, like fmt.Sprint."""
    result = ""
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            result += " "
        result += plain(value)
    return result


def _println(*values: Any) -> str:
    return " ".join(map(plain, values)) + "\n"


_VERB = regex(r"%([-+ 0#]*\d*(?:\.\d+)?)([a-zA-Z%])")


def _printf(*values: Any) -> str:
    if not values:
        raise Unfit("needs a format")
    rest = list(values[:0:-1])

    def fill(match: re.Match[str]) -> str:
        flags, verb = match[1], match[2]
        if verb == "%":
            return "%"
        if not rest:
            raise Unfit(f"has no value for {match[0]}")
        value = rest.pop()
        try:
            match verb:
                case "s" | "v" | "t":
                    return f"%{flags}s" % plain(value)
                case "q":
                    return f"%{flags}s" % to_json(_text(value))
                case "d" | "x" | "X" | "o" | "e" | "f" | "g":
                    return str(f"%{flags}{verb}" % value)
        except (TypeError, ValueError):
            raise Unfit(f"cannot show {plain(value)} as {match[0]}") from None
        raise Unfit(f"does not know {match[0]}")

    result = _VERB.sub(fill, _text(values[0]))
    if rest:
        raise Unfit("has more values than its format takes")
    return result


def _len(value: Any) -> int:
    """The length; for a string, in bytes, as in Go."""
    if isinstance(value, str):
        return len(value.encode(errors="surrogateescape"))
    if not isinstance(value, list | tuple | Mapping):
        raise Unfit(f"takes a string, a list or a map, not {plain(value)}")
    return len(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key, "")
        elif 0 <= _number(key) < len(_items(value)):
            value = value[key]
        else:
            raise Unfit(f"has no item {key}: there are {len(value)}")
    return value


def _slice(value: Any, *bounds: Any) -> Any:
    if not isinstance(value, str | list | tuple):
        raise Unfit(f"takes a string or a list, not {plain(value)}")
    start, end = [*map(_number, bounds), *(0, len(value))[len(bounds) :]][:2]
    if not 0 <= start <= end <= len(value):
        raise Unfit(f"has no part from {start} to {end}: the length is {len(value)}")
    return value[start:end]


def _compare(holds: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def compare(first: Any, second: Any) -> bool:
        return holds(*_comparable(first, second))

    return compare


def _comparable(first: Any, second: Any) -> tuple[Any, Any]:
    kinds = [float if type(value) is int else type(value) for value in (first, second)]
    if kinds[0] is not kinds[1]:
        raise Unfit(f"cannot compare {plain(first)} with {plain(second)}: they are of different types")
    return first, second


def _eq(first: Any, *others: Any) -> bool:
    """Whether the first value equals any of the others."""
    if not others:
        raise Unfit("needs something to compare with")
    return any(operator.eq(*_comparable(first, other)) for other in others)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "eq": _eq,
    "ge": _compare(operator.ge),
    "gt": _compare(operator.gt),
    "index": _index,
    "join": _join,
    "json": to_json,
    "le": _compare(operator.le),
    "len": _len,
    "lower": lambda text: _text(text).lower(),
    "lt": _compare(operator.lt),
    "ne": lambda first, second: not _eq(first, second),
    "not": operator.not_,
    "or": lambda *values: next((value for value in values if value), values[-1]),
    "pad": _pad,
    "print": _print,
    "printf": _printf,
    "println": _println,
    "slice": _slice,
    "split": _split,
    "title": _title,
    "truncate": _truncate,
    "upper": lambda text: _text(text).upper(),
}


def _first(value: Any, *_others: Any) -> Any:
    return value


HEADING_FUNCTIONS = FUNCTIONS | dict.fromkeys(("join", "json", "lower", "split", "title", "truncate", "upper"), _first)
"""For the headings of a table: a column keeps its heading, whatever functions apply to its values."""
