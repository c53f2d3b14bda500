"""The variables that a file may use: the process environment, then ``.env`` files.

A service's ``env_file`` and ``environment`` are never part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.dotenv import DotenvError, parse_dotenv
from orchestra.errors import Span
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.compose.problems import Problems
    from orchestra.compose.reader import Reader


# Characters that YAML does not accept as text (YAML 1.2, chapter 5.1). As one class it would take 7 ms to compile.
_UNPRINTABLE = regex(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|[\ud800-\udfff]|[\ufffe\uffff]")


class Environment:
    """The process environment wins over everything but ``fixed``; ``extra`` adds what is not set otherwise.

    ``origins`` records where the values of ``extra`` and ``fixed`` came from.
    """

    def __init__(
        self,
        reader: Reader,
        extra: Mapping[str, str],
        fixed: Mapping[str, str] | None = None,
        origins: Mapping[str, str] | None = None,
    ) -> None:
        self._reader = reader
        self._extra = dict(extra)
        self._fixed = dict(fixed or {})
        self._origins = dict(origins or {})

    def lookup(self, name: str) -> str | None:
        if name in self._fixed:
            return self._fixed[name]
        value = self._reader.variable(name)
        return self._extra.get(name) if value is None else value

    def origin(self, name: str) -> str:
        """The origin of what ``lookup`` returns, described; '' if there is no value."""
        if name not in self._fixed and self._reader.variable(name) is not None:
            return "the environment"
        return self._origins.get(name, "")

    def values(self) -> dict[str, str]:
        """All variables by name."""
        return dict(sorted({**self._extra, **self._reader.variables(), **self._fixed}.items()))

    def with_defaults(self, values: Mapping[str, str], origin: str = "") -> Environment:
        """The same with ``values`` for variables that are not set yet."""
        origins = {**dict.fromkeys(values, origin), **self._origins}
        return Environment(self._reader, {**values, **self._extra}, self._fixed, origins)

    def with_values(self, values: Mapping[str, str], origin: str = "") -> Environment:
        """The same with ``values`` over earlier ones; the process environment still wins."""
        origins = {**self._origins, **dict.fromkeys(values, origin)}
        return Environment(self._reader, {**self._extra, **values}, self._fixed, origins)

    def with_fixed(self, values: Mapping[str, str], origin: str = "") -> Environment:
        """The same with ``values`` over everything else."""
        origins = {**self._origins, **dict.fromkeys(values, origin)}
        return Environment(self._reader, self._extra, {**self._fixed, **values}, origins)


def read_dotenv(path: str, text: str, environment: Environment, problems: Problems) -> dict[str, str]:
    """The variables of one file; mistakes go to ``problems``."""
    problems.texts[path] = text

    try:
        return parse_dotenv(text, environment.lookup, warn_of_unset(path, problems))
    except DotenvError as error:
        place = Span(path, error.line, error.column, error.line, error.column + 1)
        problems.error("env-file", error.message, place, (), error.hint)
        problems.unreadable.add(path)
        return {}


def warn_of_unset(path: str, problems: Problems) -> Callable[[str, int], None]:
    """For ``parse_dotenv``: a warning for each variable that a value names and that is not set."""

    def unset(name: str, line: int) -> None:
        message = f"the variable {name} is not set; an empty string is used"
        hint = "for a literal $, write $$ or put the value in single quotes"
        problems.warn("unset-variable", message, Span(path, line, 1, line, 2), (), hint)

    return unset


def decode_text(path: str, content: bytes, problems: Problems) -> str:
    """The text of a file; bytes that are not UTF-8 go to ``problems``."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        hint = "save it as UTF-8"
        problems.error("encoding", f"{path} is not UTF-8 text", Span(path, line, 1, line, 2), (), hint)
        problems.unreadable.add(path)
        return ""
    return text


def check_printable(path: str, text: str, problems: Problems) -> str:
    """The text; a character that YAML does not accept goes to ``problems``."""
    if match := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - text.rfind("\n", 0, match.start())
        message = f"{path} contains the character U+{ord(match[0]):04X}, which is not text"
        problems.error("encoding", message, Span(path, line, column, line, column + 1))
        problems.unreadable.add(path)
        return ""
    return text
