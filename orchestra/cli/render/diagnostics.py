"""Diagnostics as text: the place, the problem, the line with a caret, and a hint. Standard library only."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING, Literal

from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.errors import Diagnostic, Span

WIDTH = 160
_BOLD, _RED, _YELLOW, _CYAN, _RESET = "\033[1m", "\033[31m", "\033[33m", "\033[36m", "\033[0m"


def render_diagnostics(
    diagnostics: Iterable[Diagnostic],
    color: bool,
    *,
    directory: str = "",
    severity: Literal["error", "warning"] = "error",
) -> str:
    """One paragraph for each, with a final newline; empty for none.

    Files below ``directory`` are named relative to it.
    """
    prefix = _paint(f"{severity}:", _RED if severity == "error" else _YELLOW, color)
    return "\n".join(f"{prefix} {_render(diagnostic, color, directory)}" for diagnostic in diagnostics)


def _render(diagnostic: Diagnostic, color: bool, directory: str) -> str:
    span = diagnostic.span
    head = visible(diagnostic.message, lines=True)
    if span is not None:
        head = f"{_paint(_place(span, directory), _BOLD, color)}: {head}"
    lines = [f"{head} [{diagnostic.code}]"]
    if span is not None and diagnostic.source_line:
        number = str(span.line)
        text, caret = _window(diagnostic.source_line, _caret(span, diagnostic.source_line))
        lines.append(f"  {number} | {_one_column_each(text)}")
        lines.append(f"  {' ' * len(number)} | {_paint(caret, _RED, color)}")
    if diagnostic.hint:
        lines.append(f"  {_paint('hint:', _CYAN, color)} {visible(diagnostic.hint, lines=True)}")
    return "\n".join(lines) + "\n"


def _place(span: Span, directory: str) -> str:
    path = span.path
    if directory and path.startswith(directory.rstrip("/") + "/"):
        path = os.path.relpath(path, directory)
    return f"{visible(path)}:{span.line}:{span.column}"


def _one_column_each(line: str) -> str:
    """Replace characters so that the caret is in the right place, and the line contains no control sequences."""
    return "".join(c if c.isprintable() else "?" for c in line.replace("\t", " "))


def _caret(span: Span, line: str) -> str:
    """``^^^^`` under the span, up to the end of its first line."""
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    start = span.column - 1
    return " " * start + "^" * max(1, min(end, len(line.rstrip())) - start)


def _window(text: str, caret: str) -> tuple[str, str]:
    """The part of a long line above the caret."""
    if len(text) <= WIDTH:
        return text, caret
    start = max(0, len(caret) - len(caret.lstrip()) - WIDTH // 3)
    shown = text[start : start + WIDTH]
    head, tail = "…" if start else "", "…" if start + WIDTH < len(text) else ""
    return head + shown + tail, " " * len(head) + caret[start : start + WIDTH]


def _paint(text: str, code: str, color: bool) -> str:
    return f"{code}{text}{_RESET}" if color else text
