"""The language of ``.env`` and ``env_file``: ``KEY=VALUE`` lines with quotes, comments and variables.

Compose's own dialect. ``export`` and surrounding spaces are allowed, ``:`` may replace ``=``; a key alone is inherited.
Unquoted and double-quoted values are interpolated; single-quoted ones are literal; quoted ones may span lines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestra.compose.interpolate import InterpolationError, Lookup, substitute
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY = regex(r"[A-Za-z0-9_.\-\[\]]*")
_EXPORT = regex(r"export[ \t]+(?=\S)")
_COMMENT = regex(r"[ \t]#")
_SIMPLE_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "\\": "\\",
    '"': '"',
}
_CLOSING = {quote: regex(rf"((?:[^{quote}\\]|\\.)*+){quote}", re.DOTALL) for quote in ("'", '"')}
_ESCAPE = regex(r"\\(0[0-7]{1,3}|[nrtvabf\\\"$])")


class DotenvError(ValueError):
    """``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int, column: int = 1, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint


def parse_dotenv(
    text: str, lookup: Lookup, unset: Callable[[str, int], None] = lambda name, line: None
) -> dict[str, str]:
    """Keys and values in order. ``lookup`` is asked before earlier keys of the file; raises DotenvError.

    ``unset`` is called for each variable that became empty because it is not set, with its line.
    """
    return _Parser(text, lookup, unset).parse()


def parse_raw(text: str) -> dict[str, str | None]:
    """The ``format: raw`` of an ``env_file``: whole lines, without quoting or replacement; None is inherited."""
    values: dict[str, str | None] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        stripped = line.lstrip()
        if not stripped or stripped.startswith("#"):
            continue
        key, equals, value = stripped.partition("=")
        if not key or key != key.strip() or " " in key:
            raise DotenvError(f"{key!r} is not a valid variable name", number)
        values[key] = value if equals else None
    return values


class _Parser:
    def __init__(self, text: str, lookup: Lookup, unset: Callable[[str, int], None]) -> None:
        self.text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        self.position = 0
        self._known = (0, 1)
        self.outer = lookup
        self.unset = unset
        self.values: dict[str, str] = {}

    def parse(self) -> dict[str, str]:
        while self._skip_blank():
            key, has_value = self._key()
            if has_value:
                self.values[key] = self._value()
            elif (inherited := self.outer(key)) is not None:
                self.values[key] = inherited
        return self.values

    @property
    def line(self) -> int:
        """Counted from the position of the last call."""
        known, line = self._known
        self._known = self.position, line + self.text.count("\n", known, self.position)
        return self._known[1]

    def _error(self, message: str, hint: str = "") -> DotenvError:
        start = self.text.rfind("\n", 0, self.position) + 1
        return DotenvError(message, self.line, self.position - start + 1, hint)

    def _skip_blank(self) -> bool:
        """Move to the next statement; False at the end."""
        while self.position < len(self.text):
            character = self.text[self.position]
            if character == "#":
                self._skip_line()
            elif character.isspace():
                self.position += 1
            else:
                return True
        return False

    def _skip_line(self) -> None:
        end = self.text.find("\n", self.position)
        self.position = len(self.text) if end < 0 else end + 1

    def _skip_spaces(self) -> None:
        while self.position < len(self.text) and self.text[self.position] in " \t":
            self.position += 1

    def _key(self) -> tuple[str, bool]:
        """A key, and whether a value follows it."""
        if match := _EXPORT.match(self.text, self.position):
            self.position = match.end()
        match = _KEY.match(self.text, self.position)
        assert match is not None
        key = match[0]
        self.position = match.end()
        self._skip_spaces()
        if self.position >= len(self.text) or self.text[self.position] == "\n":
            return key, False
        character = self.text[self.position]
        if character in "=:":
            self.position += 1
            return key, True
        if character == "#":
            self._skip_line()
            return key, False
        hint = "begin a comment with #" if " " in self.text[match.start() : self.position] else ""
        raise self._error(f"unexpected {character!r} in the name of a variable", hint)

    def _value(self) -> str:
        self._skip_spaces()
        quote = self.text[self.position : self.position + 1]
        if quote in ("'", '"') and quote:
            return self._quoted(quote)
        end = self.text.find("\n", self.position)
        end = len(self.text) if end < 0 else end
        raw = self.text[self.position : end]
        comment = _COMMENT.search(raw)
        value = self._substitute(raw[: comment.start()] if comment else raw).strip()
        self.position = end
        return value

    def _quoted(self, quote: str) -> str:
        start = self.position + 1
        close = _CLOSING[quote].match(self.text, start)
        if close is None:
            raise self._error(f"the quote {quote} is never closed", "close it, or use the other kind of quotes")
        raw = close[1]
        value = raw.replace("\\'", "'") if quote == "'" else self._double_quoted(raw)
        self.position = close.end()
        self._skip_line()  # what follows the closing quote on its line is ignored
        return value

    def _double_quoted(self, raw: str) -> str:
        """Escapes first; an escaped ``$`` becomes ``$$``, which interpolation turns into a literal one."""

        def unescape(match: re.Match[str]) -> str:
            letter = match[1]
            if letter == "$":
                return "$$"
            if letter[0] == "0":
                return chr(int(letter, 8))
            return _SIMPLE_ESCAPES[letter]

        return self._substitute(_ESCAPE.sub(unescape, raw))

    def _substitute(self, raw: str) -> str:
        if "$" not in raw:
            return raw
        try:
            return substitute(raw, self._lookup, lambda name, _offset: self.unset(name, self.line))
        except InterpolationError as error:
            raise self._error(error.message, error.hint) from None

    def _lookup(self, name: str) -> str | None:
        value = self.outer(name)
        return self.values.get(name) if value is None else value
