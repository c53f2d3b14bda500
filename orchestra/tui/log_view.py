"""The logs of the chosen stack: follow, search, levels and filters over all of its services."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.message import Message

from orchestra.record import replace
from orchestra.stacks.logs import Selection, feed_logs
from orchestra.tui.dialogs import Prompt
from orchestra.tui.line_view import LineView
from orchestra.tui.log_buffer import KEPT, Choice, Level, LogBuffer, LogLine, read_happening
from orchestra.tui.rows import BAD, FAINT, WAITS
from orchestra.tui.strands import Inbox, Strand, in_loop
from orchestra.tui.words import fit
from orchestra.visible import visible

if TYPE_CHECKING:
    from textual.binding import BindingType

    from orchestra.errors import OrchestraError
    from orchestra.stacks.context import Context

COLORS = ("cyan", "magenta", "blue", "green", "yellow", "bright_cyan", "bright_magenta", "bright_blue")
LEVELS = {Level.DEBUG: "all levels", Level.INFO: "info and above", Level.WARNING: "warnings", Level.ERROR: "errors"}
STYLES = {Level.DEBUG: FAINT, Level.INFO: "", Level.WARNING: WAITS, Level.ERROR: BAD}
TAIL = 500
"""Lines from the end of each log that are read at first; of many containers fewer."""


class LogView(LineView):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search"),
        Binding("n", "again(False)", "Next"),
        Binding("N", "again(True)", "Previous"),
        Binding("f", "follow", "Follow"),
        Binding("l", "level", "Level"),
        Binding("t", "filter", "Filter"),
        Binding("v", "service", "Service"),
        Binding("escape", "clear", "Clear", show=False),
    ]

    class Changed(Message):
        """What is shown is chosen differently."""

    def __init__(self) -> None:
        super().__init__(id="logs")
        self.buffer = LogBuffer()
        self.follows = True
        self.searched = ""
        self.problem = ""
        self._found: int | None = None
        self._strand: Strand | None = None
        self._stack = ""
        self._service = ""
        self._colors: dict[str, str] = {}

    def open(self, context: Context, stack: str, containers: int) -> None:
        """Follow this stack, unless that is so already. containers: how many it has, about."""
        if self._strand is not None and self._stack == stack:
            return
        self.close()
        self._stack, self.problem = stack, ""
        self.buffer.clear()
        self._colors.clear()
        self.follows, self._found = True, None
        tail = max(10, min(TAIL, KEPT // max(1, containers)))
        inbox: Inbox[LogLine] = Inbox(self.app, partial(self._take, stack), KEPT)
        self._strand = Strand(self.app, partial(self._read, context, stack, tail, inbox), "logs")
        self.renew()

    def close(self) -> Strand | None:
        """The thread that was following, which is told to end."""
        strand, self._strand = self._strand, None
        if strand is not None:
            strand.stop()
        return strand

    def choose_service(self, service: str) -> None:
        self._service = service
        self._choose(replace(self.buffer.choice, service=service))

    def count(self) -> int:
        return len(self.buffer.shown)

    def text(self, index: int) -> Text:
        line = self.buffer.shown[index]
        width = 12 if self.columns < 100 else 20
        color = self._colors.setdefault(line.service, COLORS[len(self._colors) % len(COLORS)])
        moment = line.at[11:19] if self.columns >= 78 else ""
        text = Text.assemble((f"{moment or ' ' * 8} " if self.columns >= 78 else "", FAINT))
        text.append(f"{fit(visible(line.container.removeprefix(f'{self._stack}-')), width):<{width}} ", color)
        start = len(text)
        text.append(line.text, STYLES[line.level])
        for wanted in (self.searched, self.buffer.choice.text):
            for place in _places(line.text, wanted):
                text.stylize(
                    "reverse" if index == self._found else "underline", start + place, start + place + len(wanted)
                )
        return text

    def heading(self) -> Text:
        if self.problem:
            return Text(self.problem, BAD)
        choice = self.buffer.choice
        words = [choice.service or "all services", LEVELS[choice.level]]
        words += [f"with “{visible(choice.text)}”"] if choice.text else []
        words += [f"search “{visible(self.searched)}”"] if self.searched else []
        if not self.buffer.shown:
            return Text("  ".join([*words, "no lines"]), "bold")
        words.append("following" if self.follows else f"line {self.scroll_offset.y + 1} of {self.count()}")
        return Text("  ".join(words), "bold")

    def moved(self) -> None:
        self.follows = self.is_at_end
        self.post_message(self.Changed())

    def action_follow(self) -> None:
        self.follows = not self.follows
        if self.follows:
            self.show_end()
        self.post_message(self.Changed())

    def action_level(self) -> None:
        choice = self.buffer.choice
        self._choose(replace(choice, level=Level((choice.level + 1) % len(Level))))

    def action_service(self) -> None:
        """Only the service that was chosen in the table, or all."""
        choice = self.buffer.choice
        self._choose(replace(choice, service="" if choice.service else self._service))

    def action_filter(self) -> None:
        self.app.push_screen(Prompt("Show lines with", self.buffer.choice.text), self._filter)

    def action_search(self) -> None:
        self.app.push_screen(Prompt("Search for", self.searched), self._search)

    def action_again(self, backwards: bool) -> None:
        if self._found is None:
            start = self.scroll_offset.y + (self.rows - 1 if backwards else 0)
        else:
            start = self._found + (-1 if backwards else 1)
        self._find(start, backwards=backwards)

    def action_clear(self) -> None:
        self.searched, self._found = "", None
        self._choose(Choice(self.buffer.choice.service))

    def _filter(self, text: str | None) -> None:
        if text is not None:
            self._choose(replace(self.buffer.choice, text=text))

    def _search(self, text: str | None) -> None:
        if text is not None:
            self.searched, self._found = text, None
            self._find(self.count() - 1, backwards=True)

    def _find(self, start: int, *, backwards: bool) -> None:
        if not self.searched:
            self.action_search()
            return
        self._found = self.buffer.find(self.searched, start, backwards=backwards)
        if self._found is None:
            self.app.notify(f"no line has “{visible(self.searched)}”", severity="warning", markup=False)
        else:
            self.follows = False
            self.show_index(self._found)
        self.refresh()
        self.post_message(self.Changed())

    def _choose(self, choice: Choice) -> None:
        self.buffer.choose(choice)
        self._found = None
        self.renew()
        if self.follows:
            self.show_end()
        self.post_message(self.Changed())

    def _read(self, context: Context, stack: str, tail: int, inbox: Inbox[LogLine], stop: int) -> None:
        from orchestra.errors import OrchestraError

        try:
            feed_logs(context, stack, Selection(tail=tail), lambda new: inbox.put([*map(read_happening, new)]), stop)
        except (OrchestraError, OSError) as error:
            failure = error
            in_loop(self.app, lambda: self._fail(failure))

    def _fail(self, error: OrchestraError | OSError) -> None:
        self.problem = visible(str(error))
        self.post_message(self.Changed())

    def _take(self, stack: str, lines: list[LogLine]) -> None:
        if stack != self._stack:
            return
        dropped = self.buffer.dropped
        self.buffer.add(lines)
        dropped = self.buffer.dropped - dropped
        if self._found is not None:
            self._found = self._found - dropped if self._found >= dropped else None
        self.renew()
        if self.follows:
            self.show_end()
        elif dropped:
            self.scroll_to(y=max(0, self.scroll_offset.y - dropped), animate=False, force=True, immediate=True)
        self.post_message(self.Changed())


def _places(text: str, wanted: str) -> list[int]:
    """Where it is in the text, in any case of letters."""
    text, wanted, places, at = text.lower(), wanted.lower(), [], -1
    while wanted and (at := text.find(wanted, at + 1)) >= 0:
        places.append(at)
    return places
