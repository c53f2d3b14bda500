"""The table of stacks and services, and what is known about the chosen one below it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from rich.text import Text
from textual.message import Message
from textual.widgets import Static

from orchestra.model.health import HealthStatus
from orchestra.tui.line_view import LineView
from orchestra.tui.rows import BAD, FAINT, TITLE, WAITS, Line, columns_for, header, service_line, stack_line
from orchestra.tui.words import describe_age, describe_bytes, describe_share
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.stacks.overview import ContainerView, ServiceView, StackView
    from orchestra.tui.board import Board
    from orchestra.tui.rows import Column


class ServiceTable(LineView):
    class Moved(Message):
        """Another line is chosen."""

    def __init__(self, board: Board) -> None:
        super().__init__(id="services", cursor=0)
        self._board = board
        self._columns: tuple[Column, ...] = ()
        self._waits: dict[str, dict[str, str]] = {}

    @property
    def chosen(self) -> tuple[StackView | None, ServiceView | None]:
        return self._board.chosen(self.cursor)

    def count(self) -> int:
        return len(self._board.lines)

    def text(self, index: int) -> Text:
        line = self._board.lines[index]
        stack = self._board.overview.stack(line.stack)
        service = stack.service(line.service) if stack and line.service else None
        if stack is None:
            return Text("")
        if service is None:
            return stack_line(stack, folded=stack.name in self._board.folded, width=self.columns)
        waits = self._waits.get(stack.name, {}).get(service.name, "")
        return service_line(service, waits, self._board.usage.of(stack.name, service.name), self._columns)

    def heading(self) -> Text:
        return header(self._columns)

    def renew(self) -> None:
        names = (f"  {service.name}" for stack in self._board.overview.stacks for service in stack.services)
        self._columns = columns_for(self.columns or self.size.width, names)
        self._waits = {stack.name: self._board.waits(stack) for stack in self._board.overview.stacks}
        super().renew()

    def renew_around(self, chosen: Line | None) -> None:
        """The same with the cursor on the line that it was on, wherever that is now."""
        before = self.cursor
        if chosen in self._board.lines:
            self.cursor = self._board.lines.index(chosen)
        self.renew()
        if self.cursor is not None and self.cursor != before:
            self.show_index(self.cursor)

    def line(self) -> Line | None:
        lines = self._board.lines
        return lines[self.cursor] if self.cursor is not None and self.cursor < len(lines) else None

    def moved(self) -> None:
        self.post_message(self.Moved())


class Details(Static):
    def show(self, stack: StackView | None, service: ServiceView | None, waits: str) -> None:
        if stack is None:
            text = Text("No stacks yet: orchestra up brings one up.", FAINT)
        elif service is None:
            text = _about_stack(stack)
        else:
            text = _about_service(service, waits)
        self.update(text, layout=False)


def _about_stack(stack: StackView) -> Text:
    text = Text.assemble((f"stack {visible(stack.name)}\n", TITLE))
    for path in stack.files:
        text.append(f"{visible(path)}\n")
    for problem in stack.damage:
        text.append(f"{visible(problem)}\n", BAD)
    return text


def _about_service(service: ServiceView, waits: str) -> Text:
    text = Text.assemble((visible(service.name), TITLE))
    if not service.is_declared:
        text.append("  the file does not have it", WAITS)
    text.append("\n")
    if waits:
        text.append(f"{visible(waits)}\n", WAITS)
    for container in service.containers:
        for line, style in _about_container(container):
            text.append(f"{visible(line)}\n", style)
    if not service.containers:
        text.append("no containers\n", FAINT)
    return text


def _machine_memory() -> int:
    """Bytes: the limit of containers without one."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _about_container(container: ContainerView) -> Iterator[tuple[str, str]]:
    row, usage = container.row, container.usage
    words = [row.name, row.state]
    if row.runs and row.started_at:
        words.append(describe_age(time.time() - row.started_at))
    elif row.state == "exited" and row.exit_code is not None:
        words.append(f"exit code {row.exit_code}" + (", out of memory" if row.oom_killed else ""))
    if row.restarts:
        words.append(f"{row.restarts} restarts")
    if usage:
        words.append(f"cpu {describe_share(container.processor)}%")
        limit = f" of {describe_bytes(usage.memory_limit)}" if usage.memory_limit < _machine_memory() else ""
        words.append(f"mem {describe_bytes(usage.memory)}{limit}")
        words.append(f"net {describe_bytes(usage.received)} in {describe_bytes(usage.sent)} out")
    yield "  ".join((*words, *row.ports)), ""
    if row.health.status is HealthStatus.UNHEALTHY:
        yield f"  unhealthy: {row.health.failure}", BAD
    for problem in (row.error, row.damage):
        if problem:
            yield f"  {problem}", BAD
