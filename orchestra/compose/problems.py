"""Collecting mistakes, so that one run reports everything that a phase found."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from orchestra.compose.nodes import render_path
from orchestra.errors import ComposeError, Diagnostic
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from orchestra.compose.nodes import Path
    from orchestra.errors import Span

MAXIMUM_DIAGNOSTICS = 500
"""Of each kind: further problems of a file that is wrong everywhere are not reported."""
MAXIMUM_MADE = 200_000
"""Values that ``extends`` and the like may add, besides four times those that are written."""
MAXIMUM_PORTS = 65_536
_GUESSES = 50
LINE_BREAK = regex("\r\n|[\r\n\x85\u2028\u2029]")  # as YAML counts lines


class Problems:
    """Errors, warnings and remarks of one load, with the texts they point into.

    ``texts`` maps each path that was read to its text, for the line above the caret. written: how many values the files
    hold. unreadable: the files that could not be read to their end. lenient: problems reported here do not matter, so
    mistakes are left as they are.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self.lenient = lenient
        self.texts: dict[str, str] = {}
        # As keys, in order: the same anchor used twice is one mistake.
        self._errors: dict[Diagnostic, Path] = {}
        self._warnings: dict[Diagnostic, Path] = {}
        self._not_applied: dict[Diagnostic, Path] = {}
        self._lines: dict[str, list[str]] = {}
        self._guesses = 0
        self._made = 0
        self._ports = 0
        self.written = 0
        self.unreadable: set[str] = set()
        self._left_out: set[Path] = set()
        self._above: set[Path] = set()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(self._errors)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        return _told_once(self._warnings)

    @property
    def not_applied(self) -> tuple[Diagnostic, ...]:
        return _told_once(self._not_applied)

    @property
    def has_enough_warnings(self) -> bool:
        """Whether another warning would be dropped, so that its place need not be looked for."""
        return len(self._warnings) >= MAXIMUM_DIAGNOSTICS

    @property
    def has_enough_errors(self) -> bool:
        """Whether another error would be dropped, so that it is useless to go on."""
        return len(self._errors) >= MAXIMUM_DIAGNOSTICS

    def error(self, code: str, message: str, span: Span | None = None, path: Path = (), hint: str = "") -> None:
        self._add(self._errors, code, message, span, path, hint)

    def warn(self, code: str, message: str, span: Span | None = None, path: Path = (), hint: str = "") -> None:
        self._add(self._warnings, code, message, span, path, hint)

    def not_apply(self, message: str, span: Span | None, path: Path, hint: str = "") -> None:
        """Report something that is read, but has no effect on the containers."""
        self._add(self._not_applied, "not-applied", message, span, path, hint)

    @contextmanager
    def at(self, span: Span, path: Path) -> Iterator[None]:
        """Errors of reading a file or a variable in this context are reported at the place that names it."""
        try:
            yield
        except ComposeError as error:
            for found in error.diagnostics:
                self.error(found.code, found.message, span, path, found.hint)

    def leave_out(self, path: Path) -> None:
        """The value at ``path`` was refused, so the stack goes on without it: its absence is not another mistake."""
        self._left_out.add(path)
        self._above.update(path[:length] for length in range(len(path)))

    def lacks(self, *path: str | int) -> bool:
        """Whether something was left out at ``path``, above it or below it."""
        return path in self._above or any(path[:length] in self._left_out for length in range(len(path) + 1))

    def raise_errors(self) -> None:
        """Raise ComposeError with everything found so far, sorted by position, if there is anything."""
        if self._errors:
            raise ComposeError(tuple(sorted(_told_once(self._errors), key=position)))

    def line(self, span: Span) -> str:
        """The text of the line that a span begins on."""
        lines = self._lines.get(span.path)
        if lines is None:
            lines = self._lines[span.path] = LINE_BREAK.split(self.texts.get(span.path, ""))
        return lines[span.line - 1] if 0 < span.line <= len(lines) else ""

    def written_at(self, span: Span | None) -> str:
        """What the file has at a span, as far as that is on one line."""
        if span is None:
            return ""
        return self.line(span)[span.column - 1 : span.end_column - 1 if span.end_line == span.line else None]

    def nearest(self, name: str, known: Collection[str]) -> str:
        """The known name that is most similar to ``name``, '' for none. Comparing is expensive, so it is limited."""
        self._guesses += 1
        if self._guesses > _GUESSES or len(name) > 100:
            return ""
        import difflib

        alike = islice((other for other in known if abs(len(other) - len(name)) <= 3), 1000)
        return next(iter(difflib.get_close_matches(name, list(alike), n=1)), "")

    def may_make(self, count: int) -> bool:
        """Whether ``extends`` and the like may add ``count`` more values in this load."""
        self._made += count
        return self._made <= MAXIMUM_MADE + 4 * self.written

    def may_publish(self, count: int) -> bool:
        """Whether ranges may add ``count`` more ports in this load."""
        self._ports += count
        return self._ports <= MAXIMUM_PORTS

    def _add(
        self, to: dict[Diagnostic, Path], code: str, message: str, span: Span | None, path: Path, hint: str
    ) -> None:
        if len(to) < MAXIMUM_DIAGNOSTICS:
            line = self.line(span) if span else ""
            to[Diagnostic(code, message, span, render_path(path), hint, line)] = path


def _told_once(found: Mapping[Diagnostic, Path]) -> tuple[Diagnostic, ...]:
    """A mistake that several services share, through an anchor or ``extends``, as one problem that names them all."""
    alike: dict[Diagnostic, dict[str, Diagnostic]] = {}
    for diagnostic, path in found.items():
        service = str(path[1]) if path[:1] == ("services",) and len(path) > 1 else ""
        shared = diagnostic._replace(subject="") if service and diagnostic.span else diagnostic
        alike.setdefault(shared, {}).setdefault(service, diagnostic)
    return tuple(
        first if len(named) == 1 else first._replace(message=f"{first.message} (services {', '.join(named)})")
        for named in alike.values()
        for first in [next(iter(named.values()))]
    )


def position(diagnostic: Diagnostic) -> tuple[str, int, int, str]:
    """Sort key: by file, line and column; problems without a place come first."""
    span = diagnostic.span
    return (span.path, span.line, span.column, diagnostic.message) if span else ("", 0, 0, diagnostic.message)
