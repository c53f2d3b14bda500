"""Progress that redraws itself on a terminal: one line per resource, by rich."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live as RichLive
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from orchestra.cli.render.progress import Quiet
from orchestra.cli.render.sizes import describe_size
from orchestra.visible import visible

if TYPE_CHECKING:
    from orchestra.cli.render.words import Step

_STYLES = {"working": "cyan", "done": "green", "error": "red"}
_MARKS = {"working": "…", "done": "✔", "error": "✘"}


class _Line:
    def __init__(self, step: Step) -> None:
        self.step = step
        self.began = time.monotonic()
        self.ended: float | None = None
        self.measure = ""
        self.spinner = Spinner("dots", style="cyan")


class Live(Quiet):
    """The last state of every resource, in the order in which they were first heard of; nothing before the first."""

    redraws = True

    def __init__(self, *, color: bool, console: Console | None = None) -> None:
        super().__init__()
        self._lines: dict[str, _Line] = {}
        self._over = False
        console = console or Console(stderr=True, no_color=not color, highlight=False)
        self._live = RichLive(console=console, get_renderable=self._table, refresh_per_second=12, transient=False)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_exception: object) -> None:
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

    def _measure(self, resource: str, fetched: int, total: int) -> None:
        if line := self._lines.get(resource):
            line.measure = f"{describe_size(fetched)} / {describe_size(total)}"

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        done = sum(line.ended is not None for line in self._lines.values())
        table.add_row(Text("[+]"), Text(f"Running {done}/{len(self._lines)}"))
        for line in self._lines.values():
            style = _STYLES[line.step.state]
            is_turning = line.ended is None and not self._over
            mark = line.spinner if is_turning else Text(_MARKS[line.step.state], style)
            seconds = (line.ended or time.monotonic()) - line.began
            measure = "" if line.ended else line.measure
            text = f"{line.step.text} {measure}".rstrip()
            table.add_row(mark, Text(visible(line.step.subject)), Text(text, style), Text(f"{seconds:.1f}s", "dim"))
        return table
