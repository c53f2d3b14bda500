"""What happens at a key: questions first, then the deed in a thread, then what came of it."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from orchestra.errors import UserError
from orchestra.tui.dialogs import Confirm, Page, Prompt
from orchestra.tui.strands import work
from orchestra.tui.terminal import edit_command, exec_command, run_on_terminal, wait_for_enter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.stacks.overview import StackView
    from orchestra.tui.app import Dashboard
    from orchestra.tui.deeds import Ahead

CANNOT_BEGIN = (126, 127)
"""Exit codes of a shell that could not be executed: what was written about that should be read."""


class Acts:
    def __init__(self, app: Dashboard) -> None:
        self._app = app

    def act(self, verb: str) -> None:
        """restart, stop or start. Starting needs no question."""
        app, stack, service = self._app, self._app.stack, self._app.service
        if stack is None:
            return
        deed: Callable[[StackView, str], str] = getattr(app.deeds, verb)
        if verb == "start":
            self._do(f"starting {service or stack.name}", partial(deed, stack, service))
            return
        what = f"{service} of {stack.name}" if service else f"all of {stack.name}"

        def go_on(answer: bool | None) -> None:
            if answer:
                doing = "stopping" if verb == "stop" else "restarting"
                self._do(f"{doing} {service or stack.name}", partial(deed, stack, service))

        app.push_screen(Confirm(f"{verb.capitalize()} {what}?"), go_on)

    def scale(self) -> None:
        app, (stack, service) = self._app, self._app.table.chosen
        if stack is None or service is None:
            app.tell("choose a service to scale")
            return

        def go_on(text: str | None) -> None:
            if text is None:
                return
            if not text.isdecimal():
                app.fail(UserError(f"{text!r} is no number of containers"))
                return
            self._do(f"scaling {service.name}", partial(app.deeds.scale, stack, service.name, int(text)))

        app.push_screen(Prompt(f"How many containers of {service.name}?", str(service.wanted)), go_on)

    def browse(self) -> None:
        app, stack = self._app, self._app.stack
        if stack is not None:
            app.tell(app.open_address(app.deeds.web_address(stack, app.service)))

    def shell(self) -> None:
        app, (stack, service) = self._app, self._app.table.chosen
        if stack is None or service is None:
            app.tell("choose a service for a shell")
            return
        if not any(each.row.runs for each in service.containers):
            app.fail(UserError(f"{service.name} is not running"))
            return
        context = app.deeds.context(stack)
        command = exec_command(context, service.name, None)
        self._on_terminal(command, context.working_directory, lambda _code: None)

    def edit(self) -> None:
        app, stack = self._app, self._app.stack
        if stack is None:
            return

        def choose(files: tuple[str, ...]) -> None:
            if not files:
                app.fail(UserError(f"the files of {stack.name} cannot be found here"))
            elif len(files) == 1:
                self._edit(stack, files[0])
            else:
                app.push_screen(Prompt("Which file?", files[0]), partial(self._edit, stack))

        work(app, partial(app.deeds.files, stack), choose, app.fail)

    def apply(self) -> None:
        app, stack = self._app, self._app.stack
        if stack is not None:
            work(app, partial(app.deeds.look_ahead, stack), self._ask, app.fail)

    def _edit(self, stack: StackView, path: str | None) -> None:
        if not path:
            return
        try:
            command = edit_command(os.environ, path)
        except UserError as error:
            self._app.fail(error)
            return
        self._on_terminal(command, os.path.dirname(path), lambda _code: self._after_edit(stack))

    def _after_edit(self, stack: StackView) -> None:
        app = self._app
        work(app, partial(app.deeds.look_ahead, stack), self._ask, app.fail)

    def _ask(self, ahead: Ahead) -> None:
        app = self._app
        if not ahead.changes:
            app.push_screen(Page(ahead.text))
            return

        def go_on(answer: bool | None) -> None:
            if answer:
                self._do("applying", partial(app.deeds.apply, ahead))

        app.push_screen(Confirm("Apply this plan?", ahead.text), go_on)

    def _do(self, doing: str, deed: Callable[[], str]) -> None:
        app = self._app
        app.tell(f"{doing} ...")
        work(app, deed, app.tell, app.fail)

    def _on_terminal(self, command: Sequence[str], directory: str | None, then: Callable[[int], None]) -> None:
        try:
            with self._app.suspended():
                code = run_on_terminal(command, directory)
                if code in CANNOT_BEGIN:
                    wait_for_enter(f"It ended with exit code {code}")
        except SuspendNotSupported:
            self._app.fail(UserError("this needs a terminal"))
            return
        then(code)
