"""Questions before the dashboard does something, and its page of help."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Key


class Confirm(ModalScreen[bool]):
    """A question that y answers with yes, and n or Escape with no. details: what would be done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,q", "answer(False)", "No"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
    ]

    def __init__(self, question: str, details: str = "") -> None:
        super().__init__()
        self._question, self._details = question, details

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide" if self._details else "dialog"):
            if self._details:
                with VerticalScroll(can_focus=True):
                    yield Static(Text(self._details))
            yield Static(Text(self._question, "bold"))
            yield Static(Text("y yes   n no"), classes="keys")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)


class Line(Input):
    """A line to type, whose keys count in their order also if they come at once, as over a slow connection.

    Otherwise letters are taken first: keys that mean something else go to the application, and come back from there.
    """

    ACTIONS: ClassVar[dict[str, str]] = {
        key: each.action for each in Input.BINDINGS if isinstance(each, Binding) for key in each.key.split(",")
    }

    async def on_key(self, event: Key) -> None:
        action = self.ACTIONS.get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)


class Prompt(ModalScreen[str | None]):
    """Asks for a line of text; None if it was left with Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave")]

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__()
        self._question, self._value = question, value

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Text(self._question, "bold"))
            yield Line(self._value, compact=True)
            yield Static(Text("Enter take it   Escape leave"), classes="keys")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        self.dismiss(None)


class Page(ModalScreen[None]):
    """A text to read."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,question_mark", "leave", "Close")]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            with VerticalScroll(can_focus=True):
                yield Static(Text(self._text))
            yield Static(Text("Escape close"), classes="keys")

    def action_leave(self) -> None:
        self.dismiss(None)
