"""The views of events and of the plan."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from orchestra.tui.event_words import event_text
from orchestra.tui.line_view import LineView

if TYPE_CHECKING:
    from orchestra.tui.board import Board


class EventView(LineView):
    """follows: the newest events stay in view, until it is scrolled."""

    def __init__(self, board: Board) -> None:
        super().__init__(id="events")
        self._board = board
        self.follows = True

    def count(self) -> int:
        return len(self._board.events)

    def text(self, index: int) -> Text:
        return event_text(*self._board.events[index])

    def renew(self) -> None:
        super().renew()
        if self.follows:
            self.show_end()

    def moved(self) -> None:
        self.follows = self.is_at_end

    def heading(self) -> Text:
        return Text("What has happened since this was opened", "bold")


class PlanView(LineView):
    """Lines with their styles, wrapped at the width of the view."""

    def __init__(self) -> None:
        super().__init__(id="plan")
        self._lines: list[tuple[str, str]] = []
        self._wrapped: list[tuple[str, str]] = []
        self._title = ""

    def show(self, title: str, lines: list[tuple[str, str]]) -> None:
        self._title, self._lines = title, lines
        self.renew()

    def renew(self) -> None:
        self._wrapped = [
            (piece, style) for line, style in self._lines for piece in wrap(line, max(20, self.columns)) or [""]
        ]
        super().renew()

    def count(self) -> int:
        return len(self._wrapped)

    def text(self, index: int) -> Text:
        return Text.assemble(self._wrapped[index])

    def heading(self) -> Text:
        return Text(self._title, "bold")


def wrap(line: str, width: int) -> list[str]:
    """Pieces of at most ``width`` characters; those after the first begin below the text of the first one."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, width, subsequent_indent=indent, replace_whitespace=False, drop_whitespace=True)
