"""What the view of the plan says: what waits for what, what is wrong and why, and what ``up`` would do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from orchestra.errors import OrchestraError
from orchestra.tui.other_views import PlanView
from orchestra.tui.rows import BAD, FAINT, TITLE, WAITS
from orchestra.tui.strands import work
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.model.event import Event
    from orchestra.stacks.overview import StackView
    from orchestra.stacks.why import Explanation
    from orchestra.tui.app import Dashboard

LOOKING = ("looking ...", FAINT)
TOGETHER = 0.3
"""Seconds in which further events are awaited before it looks again."""


class Outlook:
    def __init__(self, app: Dashboard) -> None:
        self._app = app
        self._stack = ""
        self._is_looking = False
        self._is_due = False
        self._explained: list[tuple[str, str]] = []
        self._planned: list[tuple[str, str]] = []

    def renew_soon(self, news: list[tuple[str, Event]]) -> None:
        """After events, if they are about what is shown."""
        app = self._app
        if app.view_name == "plan" and app.stack and any(stack == app.stack.name for stack, _ in news):
            self._show()
            if not self._is_due:
                self._is_due = True
                app.set_timer(TOGETHER, self.renew)

    def renew(self) -> None:
        self._is_due = False
        app, stack = self._app, self._app.stack
        if stack is None or app.view_name != "plan":
            return
        if stack.name != self._stack:
            self._stack, self._explained, self._planned = stack.name, [LOOKING], [LOOKING]
        self._show()
        if self._is_looking:
            self._is_due = True
            app.set_timer(TOGETHER, self.renew)
            return
        self._is_looking = True
        work(app, partial(self._look, stack), self._take, app.fail)

    def _look(self, stack: StackView) -> tuple[str, list[tuple[str, str]], list[tuple[str, str]]]:
        """In a thread. Each part may fail by itself."""
        deeds = self._app.deeds
        try:
            explained = [line for each in deeds.why(stack) for line in _explain(each)]
        except (OrchestraError, OSError) as error:
            explained = list(_lines(error))
        try:
            ahead = deeds.look_ahead(stack)
            planned = [(line, "") for line in ahead.text.splitlines()]
        except (OrchestraError, OSError) as error:
            planned = list(_lines(error))
        return stack.name, explained, planned

    def _take(self, found: tuple[str, list[tuple[str, str]], list[tuple[str, str]]]) -> None:
        self._is_looking = False
        stack, explained, planned = found
        if stack == self._stack:
            self._explained, self._planned = explained, planned
            self._show()

    def _show(self) -> None:
        app = self._app
        blocked = app.board.blocked(self._stack)
        lines = [("What waits", TITLE)]
        lines += [(f"  {resource.kind} {visible(resource.name)}: {visible(why)}", WAITS) for resource, why in blocked]
        lines += [] if blocked else [("  nothing", FAINT)]
        lines += [("", ""), ("What is not as it should be, and why", TITLE)]
        lines += [(f"  {line}", style) for line, style in self._explained] or [("  nothing", FAINT)]
        lines += [("", ""), ("What up would do", TITLE)]
        lines += [(f"  {line}", style) for line, style in self._planned]
        app.query_one(PlanView).show(f"Stack {visible(self._stack)}", lines)
        app.renew_frame()


def _explain(explanation: Explanation) -> Iterator[tuple[str, str]]:
    for number, cause in enumerate(explanation.causes):
        yield f"{'  ' * number}{visible(cause.subject)} {visible(cause.what)}", BAD if not number else ""
        indent = "  " * (number + 1)
        for line in cause.log:
            yield f"{indent}| {visible(line)}", FAINT
        for line in cause.changed:
            yield f"{indent}{visible(line)}", FAINT
        if cause.hint:
            yield f"{indent}hint: {visible(cause.hint)}", ""


def _lines(error: OrchestraError | OSError) -> Iterator[tuple[str, str]]:
    for line in visible(str(error), lines=True).splitlines():
        yield line, BAD
    if isinstance(error, OrchestraError) and error.hint:
        yield f"hint: {visible(error.hint)}", ""
