"""The dashboard: four views of the stacks of a home, and keys that act on the chosen one."""

from __future__ import annotations

import signal
from asyncio import get_running_loop
from contextlib import contextmanager
from functools import partial
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App
from textual.widgets import ContentSwitcher, Static

from orchestra.tui.acts import Acts
from orchestra.tui.board import Board
from orchestra.tui.deeds import Deeds
from orchestra.tui.keys import HELP, bindings, footer, tab_at, tabs
from orchestra.tui.line_view import LineView
from orchestra.tui.log_view import LogView
from orchestra.tui.other_views import EventView, PlanView
from orchestra.tui.outlook import Outlook
from orchestra.tui.service_table import Details, ServiceTable
from orchestra.tui.style import STYLE
from orchestra.tui.watching import Watching
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Click, Resize

    from orchestra.errors import OrchestraError
    from orchestra.model.event import Event
    from orchestra.stacks.containers import Known
    from orchestra.stacks.context import Context
    from orchestra.stacks.overview import Overview, StackView
    from orchestra.tui.rows import Line
    from orchestra.tui.strands import Later

VIEWS = ("services", "logs", "plan", "events")


class Dashboard(App[None]):
    """stacks: which ones to show; empty for all of the home. own: the stack of the caller's file, if there is one.

    open_address: opens a page in a browser, and returns what to tell about that.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = STYLE
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(VIEWS)]

    def __init__(
        self,
        context: Context,
        stacks: Sequence[str] = (),
        own: Known | None = None,
        open_address: Callable[[str], str] = str,
    ) -> None:
        super().__init__(ansi_color=True)
        self.board = Board()
        self.deeds = Deeds(context, own)
        self.open_address = open_address
        self.watching = Watching(self, context, stacks, own)
        self._has_looked = False
        self._log_view: LogView | None = None
        self.acts = Acts(self)
        self.outlook = Outlook(self)

    def compose(self) -> ComposeResult:
        yield Static(id="tabs")
        yield Static(id="heading")
        with ContentSwitcher(initial="services", id="views"):
            yield ServiceTable(self.board)
            self._log_view = LogView()
            yield self._log_view
            yield PlanView()
            yield EventView(self.board)
        yield Details(id="details")
        yield Static(id="keys")

    def on_mount(self) -> None:
        self.theme = "ansi-dark"
        self.table.focus()
        self.watching.start()
        self._catch_signals()
        self.renew_frame()

    @property
    def table(self) -> ServiceTable:
        return self.query_one(ServiceTable)

    @property
    def logs(self) -> LogView:
        return self.query_one(LogView)

    @property
    def view(self) -> LineView:
        return self.query_one(f"#{self.view_name}", LineView)

    @property
    def view_name(self) -> str:
        return self.query_one(ContentSwitcher).current or VIEWS[0]

    @property
    def stack(self) -> StackView | None:
        return self.table.chosen[0]

    @property
    def service(self) -> str:
        """The name of the chosen service; empty for the whole stack."""
        service = self.table.chosen[1]
        return service.name if service else ""

    # What threads tell

    def on_later(self, message: Later) -> None:
        if self._is_whole:
            message.call()

    @property
    def _is_whole(self) -> bool:
        """Messages may come before its widgets are there, and after they are gone."""
        return self.is_running and bool(self.screen_stack) and bool(self.screen_stack[0].query("#keys"))

    def see(self, overview: Overview, measured: bool) -> None:
        before = self.table.line()
        self.board.see(overview, measured=measured)
        self._has_looked = True
        self.watching.listen({stack.name for stack in overview.stacks})
        self._renew_table(before)

    def hear(self, news: list[tuple[str, Event]]) -> None:
        for stack, event in news:
            self.board.hear(stack, event)
        if self.view_name == "events":
            self.view.renew()
        self.outlook.renew_soon(news)

    # What is shown

    def action_show(self, view: str) -> None:
        self.query_one(ContentSwitcher).current = view
        self.watching.sampler.measures = view == "services"
        self.watching.sampler.wake()
        self.query_one("#details").display = view == "services"
        if view == "logs":
            self._open_logs()
        else:
            self.watching.keep(self.logs.close())
        if view == "plan":
            self.outlook.renew()
        self.screen_stack[0].set_focus(self.view)  # now: the next key may be waiting already
        self.view.renew()
        self.renew_frame()

    def action_turn(self, by: int) -> None:
        if len(self.screen_stack) == 1:
            self.action_show(VIEWS[(VIEWS.index(self.view_name) + by) % len(VIEWS)])
        else:
            self.screen.focus_next()

    def action_open(self) -> None:
        """The logs of a service; the services of a stack, or none of them."""
        if self.view_name != "services" or self.stack is None:
            return
        if self.service:
            self.logs.choose_service(self.service)
            self.action_show("logs")
        else:
            self.board.folded ^= {self.stack.name}
            self.board.arrange()
            self._renew_table(self.table.line())

    def action_help(self) -> None:
        from orchestra.tui.dialogs import Page

        self.push_screen(Page(HELP))

    def action_find(self) -> None:
        from orchestra.tui.dialogs import Prompt

        if self.view_name == "services":
            self.push_screen(Prompt("Show services with", self.board.wanted), self._find)

    def action_unfind(self) -> None:
        self._find("")

    def _find(self, wanted: str | None) -> None:
        if wanted is not None:
            before = self.table.line()
            self.board.wanted = wanted
            self.board.arrange()
            self._renew_table(before)

    def _open_logs(self) -> None:
        stack = self.stack
        if stack is not None:
            self.logs.choose_service(self.service)
            self.logs.open(self.deeds.context(stack), stack.name, len(stack.containers))

    def _renew_table(self, before: Line | None) -> None:
        self.table.renew_around(before)
        self.renew_frame()

    def renew_frame(self) -> None:
        """The lines around the view, which keep their size."""
        if not self._is_whole:
            return
        stack, service = self.table.chosen
        self.query_one("#tabs", Static).update(tabs(self.view_name, self.board, stack, self.size.width), layout=False)
        heading = self.view.heading() if self._has_looked or self.view_name != "services" else Text("looking ...")
        self.query_one("#heading", Static).update(heading, layout=False)
        waits = self.board.waits(stack).get(service.name, "") if stack and service else ""
        if self._has_looked:
            self.query_one(Details).show(stack, service, waits)
        self.query_one("#keys", Static).update(footer(self.view_name, self.size.width), layout=False)

    def on_service_table_moved(self) -> None:
        self.renew_frame()

    def on_log_view_changed(self) -> None:
        self.renew_frame()

    def on_click(self, event: Click) -> None:
        if event.widget is not None and event.widget.id == "tabs" and (view := tab_at(event.x)):
            self.action_show(view)

    def on_line_view_chosen(self) -> None:
        self.action_open()

    def on_resize(self, event: Resize) -> None:
        self.screen_stack[0].set_class(event.size.height < 24, "low")
        self.call_after_refresh(self.renew_frame)

    # What keys do

    def action_act(self, verb: str) -> None:
        self.acts.act(verb)

    def action_scale(self) -> None:
        self.acts.scale()

    def action_shell(self) -> None:
        self.acts.shell()

    def action_browse(self) -> None:
        self.acts.browse()

    def action_edit(self) -> None:
        self.acts.edit()

    def action_apply(self) -> None:
        self.acts.apply()

    def tell(self, text: str) -> None:
        self.notify(visible(text), markup=False)

    def fail(self, error: OrchestraError | OSError) -> None:
        hint = getattr(error, "hint", "")
        text = visible(str(error)) + (f"\n{visible(hint)}" if hint else "")
        self.notify(text, severity="error", timeout=10, markup=False)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """The terminal is free meanwhile, and nothing is looked at. Raises SuspendNotSupported where there is none."""
        self.watching.sampler.pauses = True
        try:
            with self.suspend():
                yield
        finally:
            self.watching.sampler.pauses = False
            self.watching.sampler.wake()

    # The end

    def _catch_signals(self) -> None:
        """The terminal is to be as before also after SIGTERM. With SIGHUP it is gone: writing to it would block."""
        if current_thread() is main_thread():
            number = signal.SIGTERM
            get_running_loop().add_signal_handler(number, partial(self.exit, return_code=128 + number))

    def on_unmount(self) -> None:
        if self._log_view is not None:  # which is no part of the screen any more
            self.watching.keep(self._log_view.close())
        self.watching.close()
