"""Collecting what is wrong, so that one run reports everything a phase found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.nodes import render_path
from orchestra.errors import ComposeError, Diagnostic

if TYPE_CHECKING:
    from orchestra.compose.nodes import Path
    from orchestra.errors import Span


class Problems:
    """Errors, warnings and remarks of one load, with the texts they point into.

    ``texts`` maps each path that was read to its text: it supplies the line under which the caret stands. lenient:
    what is reported here does not matter, so what is wrong should be left as it is.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self.lenient = lenient
        self.texts: dict[str, str] = {}
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self.not_applied: list[Diagnostic] = []
        self._lines: dict[str, list[str]] = {}

    def error(self, code: str, message: str, span: Span | None = None, path: Path = (), hint: str = "") -> None:
        self._add(self.errors, code, message, span, path, hint)

    def warn(self, code: str, message: str, span: Span | None = None, path: Path = (), hint: str = "") -> None:
        self._add(self.warnings, code, message, span, path, hint)

    def not_apply(self, message: str, span: Span | None, path: Path, hint: str = "") -> None:
        """Something is understood and kept, but has no effect on the containers."""
        self._add(self.not_applied, "not-applied", message, span, path, hint)

    def raise_errors(self) -> None:
        """Raise ComposeError with everything found so far, sorted by position, if there is anything."""
        if self.errors:
            raise ComposeError(tuple(sorted(self.errors, key=position)))

    def line(self, span: Span) -> str:
        """The text of the line that a span begins on."""
        lines = self._lines.get(span.path)
        if lines is None:
            lines = self._lines[span.path] = self.texts.get(span.path, "").splitlines()
        return lines[span.line - 1] if 0 < span.line <= len(lines) else ""

    def _add(self, to: list[Diagnostic], code: str, message: str, span: Span | None, path: Path, hint: str) -> None:
        line = self.line(span) if span else ""
        diagnostic = Diagnostic(code, message, span, render_path(path), hint, line)
        if diagnostic not in to:  # the same anchor used twice is wrong once
            to.append(diagnostic)


def position(diagnostic: Diagnostic) -> tuple[str, int, int, str]:
    """Sort key: by file, line and column; what has no place comes first."""
    span = diagnostic.span
    return (span.path, span.line, span.column, diagnostic.message) if span else ("", 0, 0, diagnostic.message)
