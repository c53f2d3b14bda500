"""A widget of many lines, of which only those in view are rendered: their number does not matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.events import Click, Resize

CURSOR = Style(reverse=True)


class LineView(ScrollView, can_focus=True):
    """A subclass gives ``count`` and ``text``, and calls ``renew`` after either changed.

    cursor: the index of the chosen line; None for a view without one. shift: columns left out at the left.
    """

    DEFAULT_CSS = """
    LineView { scrollbar-size-vertical: 1; overflow-x: hidden; overflow-y: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "end(-1)", "Top", show=False),
        Binding("end,G", "end(1)", "Bottom", show=False),
        Binding("left", "shift(-16)", "Left", show=False),
        Binding("right", "shift(16)", "Right", show=False),
    ]

    class Chosen(Message):
        """A line was clicked twice, or entered."""

    def __init__(self, *, id: str, cursor: int | None = None) -> None:
        super().__init__(id=id)
        self.cursor = cursor
        self.shift = 0

    def count(self) -> int:
        raise NotImplementedError

    def text(self, index: int) -> Text:
        raise NotImplementedError

    def heading(self) -> Text:
        """The line above the view."""
        raise NotImplementedError

    def renew(self) -> None:
        """Show what ``count`` and ``text`` say now."""
        count = self.count()
        if self.cursor is not None:
            self.cursor = max(0, min(self.cursor, count - 1))
        self.virtual_size = Size(1, count)
        self.refresh()

    def moved(self) -> None:
        """The view or the cursor was moved by a key or a click."""

    @property
    def rows(self) -> int:
        """How many lines fit."""
        return self.scrollable_content_region.height

    @property
    def columns(self) -> int:
        return self.scrollable_content_region.width

    @property
    def is_at_end(self) -> bool:
        return self.scroll_offset.y >= self.count() - self.rows

    def render_line(self, y: int) -> Strip:
        index = y + self.scroll_offset.y
        width = self.columns
        if index >= self.count():
            return Strip.blank(width, self.rich_style)
        text, chosen = self.text(index), index == self.cursor and self.has_focus
        if chosen:
            text = Text(text.plain)  # reversed, colours within it would be patches of background
        strip = Strip([Segment(each.text, each.style) for each in text.render(self.app.console, end="")])
        if self.shift:
            strip = strip.crop(self.shift, self.shift + width)
        strip = strip.adjust_cell_length(width).apply_style(self.rich_style)
        return strip.apply_style(CURSOR) if chosen else strip

    def show_index(self, index: int) -> None:
        """Scroll it into view."""
        top = self.scroll_offset.y
        if index < top:
            self.scroll_to(y=index, animate=False, force=True, immediate=True)
        elif index >= top + self.rows:
            self.scroll_to(y=index - self.rows + 1, animate=False, force=True, immediate=True)

    def show_end(self) -> None:
        self.scroll_to(y=max(0, self.count() - self.rows), animate=False, force=True, immediate=True)

    def put_cursor(self, index: int) -> None:
        if self.cursor is None:
            return
        before, self.cursor = self.cursor, max(0, min(index, self.count() - 1))
        self.show_index(self.cursor)
        for changed in {before, self.cursor}:
            self.refresh_line(changed)
        self.moved()

    def action_move(self, by: int) -> None:
        if self.cursor is not None:
            self.put_cursor(self.cursor + by)
        else:
            self._scroll(self.scroll_offset.y + by)

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.rows - 1))

    def action_end(self, where: int) -> None:
        if self.cursor is not None:
            self.put_cursor(0 if where < 0 else self.count() - 1)
        else:
            self._scroll(0 if where < 0 else self.count())

    def action_shift(self, by: int) -> None:
        self.shift = max(0, self.shift + by)
        self.refresh()

    def on_click(self, event: Click) -> None:
        self.put_cursor(self.scroll_offset.y + event.y)
        if event.chain == 2 and self.cursor is not None:
            self.post_message(self.Chosen())

    def on_mouse_scroll_up(self) -> None:
        self.call_after_refresh(self.moved)

    def on_mouse_scroll_down(self) -> None:
        self.call_after_refresh(self.moved)

    def on_resize(self, _event: Resize) -> None:
        self.renew()
        if self.cursor is not None:
            self.show_index(self.cursor)

    def _scroll(self, top: int) -> None:
        top = max(0, min(top, self.count() - self.rows))
        self.scroll_to(y=top, animate=False, force=True, immediate=True)
        self.moved()
