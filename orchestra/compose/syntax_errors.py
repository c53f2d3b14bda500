"""Explaining why a text is not YAML, for users who do not know the YAML specification.

ruamel.yaml tells what its scanner expected and where. The line and the one before usually show what was meant.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from orchestra.errors import Span
from orchestra.named_tuple import NamedTuple
from orchestra.regex import regex

if TYPE_CHECKING:
    from orchestra.compose.source import Source

_FOUND_CHARACTER = regex(r"found character '(.+)' that cannot start any token", re.DOTALL)
_FOUND_ESCAPE = regex(r"found unknown escape character '(.)'", re.DOTALL)
_KEY_WITHOUT_SPACE = regex(r"\s*(?:- )?([\w.-]+):(\S.*)")
_PAIRS = {"[": ("list", "]"), "{": ("mapping", "}")}
_QUOTE = "put the whole value in quotes"
_ALIGN = "begin all lines of a mapping or list at the same column"


class SyntaxProblem(NamedTuple):
    message: str
    span: Span
    hint: str = ""


class _Place(NamedTuple):
    """Counted from 0, as ruamel.yaml does."""

    line: int
    column: int


def explain_syntax_error(error: YAMLError, source: Source) -> SyntaxProblem:
    """The problem at the place where it is best corrected, and how to correct it."""
    if not isinstance(error, MarkedYAMLError):
        return SyntaxProblem(str(error).splitlines()[0], Span(source.path, 1, 1, 1, 2))
    lines = source.text.splitlines()
    at = _place(error.problem_mark or error.context_mark)
    began = _place(error.context_mark or error.problem_mark)
    message, place, hint = _explain(error.context or "", error.problem or "", lines, at, began)
    line, column = place.line + 1, place.column + 1
    return SyntaxProblem(message, Span(source.path, line, column, line, column + 1), hint)


def _place(mark: Any) -> _Place:
    return _Place(mark.line, mark.column) if mark else _Place(0, 0)


def _explain(context: str, problem: str, lines: list[str], at: _Place, began: _Place) -> tuple[str, _Place, str]:
    if match := _FOUND_CHARACTER.match(problem):
        return _stray_character(match[1], lines, at)
    if match := _FOUND_ESCAPE.match(problem):
        return (
            f"\\{match[1]} has no meaning in double quotes",
            at,
            "write \\\\ for a backslash, or use single quotes",
        )
    if "quoted scalar" in context and "end of stream" in problem:
        return "this quote is never closed", began, f"end the value with another {_at(lines, began)}"
    if "could not find expected ':'" in problem:
        return _no_colon(lines, began)
    if "flow sequence" in context or "flow mapping" in context:
        return _unfinished(lines, at, began)
    if "mapping values are not allowed" in problem:
        return _colon_out_of_place(lines, at)
    if "block end" in problem or "document start" in problem:
        return _out_of_line(lines, at)
    if "chomping or indentation" in problem:
        return "the text must begin on the line after | or >", at, "move it to a line of its own, indented"
    if "anchor" in context or "alias" in context:
        return f"{_at(lines, began)} must be followed by the name of an anchor", began, f"if none is meant, {_QUOTE}"
    if "expected the node content" in problem:
        return "a value is missing before this", at, ""
    return f"invalid YAML: {problem}".replace("\n", " "), at, ""


def _stray_character(character: str, lines: list[str], at: _Place) -> tuple[str, _Place, str]:
    if character in ("\t", "\\t"):
        before = _line(lines, at.line)[: at.column]
        if before.strip():
            return "there is a tab where YAML allows only spaces", at, "replace it with a space"
        return "this line is indented with a tab", at, "indent with spaces: YAML does not allow tabs"
    return f"a value must not begin with {character}", at, _QUOTE


def _no_colon(lines: list[str], began: _Place) -> tuple[str, _Place, str]:
    """A line in the middle of a mapping that has no key."""
    line = _line(lines, began.line)
    if missing := _missing_space(lines, began.line):
        return missing
    if ":" not in line and _indentation(_line(lines, began.line + 1)) > _indentation(line):
        return _missing_colon(lines, began.line)
    return (
        "this is neither a key with its value nor part of the value above",
        began,
        "write KEY: VALUE, or indent the text deeper than the key that it belongs to",
    )


def _unfinished(lines: list[str], at: _Place, began: _Place) -> tuple[str, _Place, str]:
    opening = _at(lines, began)
    kind, closing = _PAIRS.get(opening, ("list or mapping", "bracket"))
    if at.line != began.line or at.line >= len(lines):
        return f"this {kind} is never closed", began, f"end it with {closing}"
    return (
        f"a comma or {closing} is missing before this",
        at,
        f"a value that contains {', : [ ] { } or #'} needs quotes",
    )


def _colon_out_of_place(lines: list[str], at: _Place) -> tuple[str, _Place, str]:
    line = _line(lines, at.line)
    if ": " in line[: at.column]:
        return "a value must not contain a colon followed by a space", at, _QUOTE
    above = at.line - 1
    while above >= 0 and not _line(lines, above).strip():
        above -= 1
    if missing := _missing_space(lines, above):
        return missing
    text = _line(lines, above)
    if text.strip() and ":" not in text and not text.lstrip().startswith(("-", "#")):
        return _missing_colon(lines, above)
    return "this line is indented too deeply for the line above", _Place(at.line, _indentation(line)), _ALIGN


def _missing_space(lines: list[str], number: int) -> tuple[str, _Place, str] | None:
    match = _KEY_WITHOUT_SPACE.fullmatch(_line(lines, number))
    if match is None:
        return None
    place = _Place(number, match.end(1))
    return "a space is missing after this colon", place, f"write {match[1]}: {match[2].strip()}"


def _missing_colon(lines: list[str], number: int) -> tuple[str, _Place, str]:
    text = _line(lines, number)
    return f"a colon is missing after {text.strip()}", _Place(number, len(text.rstrip())), f"write {text.strip()}:"


def _out_of_line(lines: list[str], at: _Place) -> tuple[str, _Place, str]:
    if _line(lines, at.line)[: at.column].strip():
        return "unexpected text after the value", at, _QUOTE
    return "the indentation of this line matches no line above", at, _ALIGN


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _line(lines: list[str], number: int) -> str:
    return lines[number] if 0 <= number < len(lines) else ""


def _at(lines: list[str], place: _Place) -> str:
    return _line(lines, place.line)[place.column : place.column + 1]
