"""Mistakes in a Dockerfile, with their places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.errors import Diagnostic, DockerfileError, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CODE = "dockerfile"
"""The code of every diagnostic that is not a finding of ``check``."""


class Wrong(Exception):
    """A mistake in one instruction, whose place is not known where it is found.

    start, end: the part of the instruction's text that is wrong; None for the whole instruction.
    """

    def __init__(self, message: str, hint: str = "", part: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.part = part


def diagnose(lines: Sequence[str], message: str, span: Span, hint: str = "", code: str = CODE) -> Diagnostic:
    """lines: those of the Dockerfile."""
    source_line = lines[span.line - 1] if span.line <= len(lines) else ""
    return Diagnostic(code, message, span, hint=hint, source_line=source_line)


def position(diagnostic: Diagnostic) -> tuple[Span, str]:
    """The key that sorts diagnostics by place."""
    return diagnostic.span or Span("", 0, 0, 0, 0), diagnostic.message


def refuse(diagnostics: Iterable[Diagnostic]) -> None:
    """Raises DockerfileError with all of them, sorted by their places, if there are any."""
    found = sorted(diagnostics, key=position)
    if found:
        raise DockerfileError(tuple(found))
