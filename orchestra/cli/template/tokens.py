"""Splits the text of a template into tokens: literal text, and the words between ``{{`` and ``}}``."""

from __future__ import annotations

import re

from orchestra.cli.template.error import TemplateError
from orchestra.named_tuple import NamedTuple
from orchestra.regex import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLANKS = " \t\r\n"
OPEN, CLOSE = "{{", "}}"
ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_WORD = regex(
    r"""(?P<blank>\s+)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)+')
    |(?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)(?![\w.]))
    |(?P<field>(?:\.[^\W\d]\w*)+)
    |(?P<variable>\$\w*)
    |(?P<name>[^\W\d]\w*)
    |(?P<mark>:=|[.|(),=])""",
    re.VERBOSE,
)
_ESCAPE = regex(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)")


class Token(NamedTuple):
    """kind: ``text``, ``open``, ``close``, or a group of the pattern above. column: from 1. joined: no blank is before
    it, so a field belongs to what precedes.
    """

    kind: str
    value: str
    column: int
    joined: bool = False


def read_tokens(template: str, begin: int = 0) -> Iterator[Token]:
    r"""Literal text has ``\t`` and ``\n`` replaced, as Docker does. begin: the first character.

    Raises TemplateError.
    """
    position = begin
    trims = False
    while True:
        start = template.find(OPEN, position)
        text = template[position : start if start >= 0 else None]
        if trims:
            text = text.lstrip(BLANKS)
        if start >= 0 and _trims_left(template, start):
            text = text.rstrip(BLANKS)
        if text:
            yield Token("text", text.replace(r"\t", "\t").replace(r"\n", "\n"), position + 1)
        if start < 0:
            return
        inside = start + (3 if _trims_left(template, start) else 2)
        if template[inside:].lstrip(BLANKS).startswith("/*"):
            position = _skip_comment(template, start, inside)
        else:
            yield Token("open", OPEN, start + 1)
            for token in _read_action(template, start, inside):
                yield token
                position = token.column - 1
            position += 2
        trims = _trims_right(template, position - 2)


def _trims_left(template: str, start: int) -> bool:
    """``{{- `` removes the blanks before it; without a blank after it, the dash is a sign."""
    return template[start + 2 : start + 3] == "-" and template[start + 3 : start + 4] in tuple(BLANKS)


def _trims_right(template: str, close: int) -> bool:
    return template[close - 1] == "-" and template[close - 2] in BLANKS


def _skip_comment(template: str, start: int, inside: int) -> int:
    """The position after ``{{/* ... */}}``."""
    match = re.compile(r"\s*/\*.*?\*/(?:\s+-)?\}\}", re.DOTALL).match(template, inside)
    if match is None:
        raise TemplateError(start + 1, "the comment is not closed", "a comment ends with */}}")
    return match.end()


def _read_action(template: str, start: int, inside: int) -> Iterator[Token]:
    """The words up to and including ``}}``."""
    position, joined = inside, False
    while position < len(template):
        if template.startswith(CLOSE, position):
            yield Token("close", CLOSE, position + 1)
            return
        if template.startswith(f"-{CLOSE}", position) and template[position - 1] in BLANKS:
            position += 1
            continue
        match = _WORD.match(template, position)
        if match is None or match.lastgroup is None:
            raise TemplateError(position + 1, *_explain(template[position]))
        if match.lastgroup != "blank":
            yield Token(match.lastgroup, match[0], position + 1, joined)
        joined = match.lastgroup != "blank"
        position = match.end()
    raise TemplateError(start + 1, "{{ is not closed", "an action ends with }}")


def _explain(character: str) -> tuple[str, str]:
    if character in "\"`'":
        return "the string is not closed", f"it ends with another {character}"
    return f"{character!r} is not expected here", "a template looks like {{.Name}} or {{upper .Name}}"


def unquote(token: Token) -> str | int:
    """The value of a Go string literal; a character literal is a number."""
    quote, inner = token.value[0], token.value[1:-1]
    if quote == "`":
        return inner
    text = _ESCAPE.sub(_unescape, inner)
    if quote != "'":
        return text
    if len(text) != 1:
        raise TemplateError(token.column, f"{token.value} is not one character", 'strings are written as "text"')
    return ord(text)


def _unescape(match: re.Match[str]) -> str:
    word = match[1]
    if word[0] in "xuU":
        return chr(min(int(word[1:], 16), 0x10FFFF))
    return chr(int(word, 8)) if len(word) == 3 else ESCAPES.get(word, word)
