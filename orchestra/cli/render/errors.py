"""Errors as text: what is wrong, where, and what to do."""

from __future__ import annotations

import io
import os

from orchestra.errors import Diagnostic, FileError, OrchestraError, Span, describe
from orchestra.ssh.caller import caller
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

    from orchestra.model.result import ReportedFailure

MAX_PROBLEMS = 50
"""Maximum number of problems to show; the rest are only counted."""

_RED, _CYAN, _YELLOW, _RESET = "\033[31m", "\033[36m", "\033[33m", "\033[0m"


def render_error(error: OrchestraError | OSError, color: bool) -> str:
    """The text for standard error, with a final newline."""
    if isinstance(error, FileError):
        return render_problems(error.diagnostics, color)
    if isinstance(error, OrchestraError):
        message, hint = error.message, error.hint
    else:
        message, hint = describe(error), getattr(error, "hint", "")
        if isinstance(error, PermissionError) and not hint and os.geteuid() != 0:
            hint = f"run it as the owner of {error.filename or 'the file'}, or with sudo"
    text = f"{_paint('error:', _RED, color)} {visible(message, lines=True)}\n"
    return text + (f"  {_paint('hint:', _CYAN, color)} {visible(hint, lines=True)}\n" if hint else "")


def render_problems(diagnostics: Sequence[Diagnostic], color: bool) -> str:
    from orchestra.cli.render.diagnostics import render_diagnostics

    shown = [_shown_here(_with_source(diagnostic)) for diagnostic in diagnostics[:MAX_PROBLEMS]]
    text = render_diagnostics(shown, color)
    left = len(diagnostics) - len(shown)
    return text + (f"\nand {left} more\n" if left > 0 else "")


def render_failures(failures: Iterable[ReportedFailure], color: bool) -> str:
    """The failures that the supervisor reports."""
    return render_problems([_diagnose(failure) for failure in failures], color)


def render_notes(notes: Iterable[Diagnostic], color: bool) -> str:
    """Warnings, one line each, and another line for a hint."""
    lines = ""
    for note in notes:
        span = _shown_here(note).span
        place = f"{span}: " if span else ""
        lines += f"{_paint('warning:', _YELLOW, color)} {visible(place + note.message)}\n"
        if note.hint:
            lines += f"  {_paint('hint:', _CYAN, color)} {visible(note.hint)}\n"
    return lines


def _diagnose(failure: ReportedFailure) -> Diagnostic:
    kind, name = failure.resource
    message = failure.error
    if name not in message:
        message = f"{kind} {name}: {message}"
    place = failure.location
    span = Span(place.path, place.line, place.column, place.line, place.column + 1) if place else None
    return Diagnostic(f"{kind}-failed", message, span, hint=failure.hint)


def _with_source(diagnostic: Diagnostic) -> Diagnostic:
    """With the line of its place, if only the place is known."""
    span = diagnostic.span
    if span is None or diagnostic.source_line:
        return diagnostic
    try:
        with _opened(span.path) as file:
            line = next((line.rstrip("\n") for number, line in enumerate(file, 1) if number == span.line), "")
    except (OSError, ValueError):
        return diagnostic  # the file was moved or changed: show only the place
    return diagnostic._replace(source_line=line)


def _opened(path: str) -> TextIO:
    """Raises OSError."""
    asking = caller()
    if asking is None:
        return open(path, encoding="utf-8")
    content = asking.files.get(path)
    if content is None:
        raise FileNotFoundError
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")


def _shown_here(diagnostic: Diagnostic) -> Diagnostic:
    """With its path relative to the directory where the command was given, if it is below that."""
    asking = caller()
    span, here = diagnostic.span, (asking.directory if asking else os.getcwd()).rstrip("/") + "/"
    if span is None or not span.path.startswith(here):
        return diagnostic
    return diagnostic._replace(span=span._replace(path=span.path[len(here) :]))


def _paint(text: str, code: str, color: bool) -> str:
    return f"{code}{text}{_RESET}" if color else text
