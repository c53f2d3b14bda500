"""Progress that redraws itself on a terminal: one line per resource, by rich."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live as RichLive
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from orchestra.cli.render.progress import Quiet
from orchestra.cli.render.sizes import describe_size
from orchestra.named_tuple import NamedTuple
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.render.words import Step
    from orchestra.model.resource import ResourceId

_STYLES = {"working": "cyan", "done": "green", "error": "red"}
_MARKS = {"working": "…", "done": "✔", "error": "✘"}

MARK = 3
SHORTEST = 12
"""Minimum number of cells for a name to be useful."""


class _Line:
    def __init__(self, step: Step) -> None:
        self.step = step
        self.began = time.monotonic()
        self.ended: float | None = None
        self.measure = ""
        self.spinner = Spinner("dots", style="cyan")


class Live(Quiet):
    """Shows the last state of every resource, in the order of their first events; nothing before the first one."""

    redraws = True

    def __init__(self, *, color: bool, stderr: bool = True, console: Console | None = None) -> None:
        super().__init__()
        self._lines: dict[ResourceId, _Line] = {}
        self._over = False
        self._console = console or Console(stderr=stderr, no_color=not color, highlight=False)
        self._live = RichLive(console=self._console, get_renderable=self._table, refresh_per_second=12, transient=False)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._release()
        self._over = True
        self._live.stop()

    def _show(self, step: Step) -> None:
        line = self._lines.get(step.resource)
        if line is None:
            line = self._lines[step.resource] = _Line(step)
        line.step = step
        line.ended = None if step.state == "working" else time.monotonic()
        if not self._over:
            self._live.start()
            self._live.refresh()

    def _restore(self, step: Step) -> None:
        self._show(step)

    def _measure(self, resource: ResourceId, fetched: int, total: int) -> None:
        if line := self._lines.get(resource):
            line.measure = f"{describe_size(fetched)} / {describe_size(total)}"

    def _table(self) -> Table:
        done = sum(line.ended is not None for line in self._lines.values())
        rows = [self._row(line) for line in self._lines.values()]
        head = f"Running {done}/{len(rows)}"
        table = Table.grid(padding=(0, 1))
        for width in _widths(self._console.width, head, rows):
            table.add_column(no_wrap=True, overflow="ellipsis", max_width=width)
        table.add_row(Text("[+]"), Text(head))
        for row in rows:
            mark = row.mark if isinstance(row.mark, Spinner) else Text(row.mark, row.style)
            cells = Text(row.subject), Text(row.text, row.style), Text(row.seconds, "dim"), Text(row.note, "dim")
            table.add_row(mark, *cells)
        return table

    def _row(self, line: _Line) -> _Row:
        step = line.step
        is_turning = line.ended is None and not self._over
        seconds = (line.ended or time.monotonic()) - line.began
        text = f"{step.text} {'' if line.ended else line.measure}".rstrip()
        mark = line.spinner if is_turning else _MARKS[step.state]
        return _Row(mark, _STYLES[step.state], visible(step.subject), text, f"{seconds:.1f}s", visible(step.note))


class _Row(NamedTuple):
    mark: Spinner | str
    style: str
    subject: str
    text: str
    seconds: str
    note: str


def _widths(width: int, head: str, rows: Sequence[_Row]) -> tuple[int, int, int, int, int]:
    """The widths of the columns, so that a row fits on one line: notes are shortened first, then names."""
    text = max((cell_len(row.text) for row in rows), default=0)
    seconds = max((len(row.seconds) for row in rows), default=0)
    subject = max((cell_len(row.subject) for row in rows), default=0)
    room = width - MARK - text - seconds - 4  # a blank between columns
    subject = max(min(subject, room), cell_len(head), SHORTEST)
    return MARK, subject, text, seconds, max(room - subject, 1)
