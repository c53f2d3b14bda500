"""Progress of builds that redraws itself on a terminal: one line per step, and below a running one its last output.

[+] Building 3.4s (4/6)
 => CACHED [web 1/3] FROM busybox                        0.0s
 => [web 2/3] RUN make                                   2.1s
 => => cc -o shop shop.c
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestra.build.event import Planned, StageOutput, StepDone, StepFailed, StepOutput, StepStarted
from orchestra.cli.render.build import Silent, stage_title
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestra.build.event import BuildEvent

OUTPUT = 6
"""Most lines of output that are shown of a running step."""
AROUND = 2
"""Lines of the terminal that are left free: for the head and for the cursor."""

_Key = tuple[str, int | str]


@dataclass
class _Row:
    """seconds: None while it runs. output: its last lines. keeps_output: they stay when it has ended."""

    title: str
    began: float
    seconds: float | None = None
    style: str = ""
    output: tuple[str, ...] = ()
    keeps_output: bool = False

    def end(self, seconds: float, style: str, mark: str = "") -> None:
        self.seconds, self.style, self.title = seconds, style, f"{mark}{self.title}"


class LiveSteps(Silent):
    """Steps in the order in which they began. What failed is repeated below the last drawing."""

    def __init__(self, *, color: bool, console: Console | None = None) -> None:
        super().__init__()
        self._rows: dict[_Key, _Row] = {}
        self._known: set[_Key] = set()
        self._failed: list[tuple[str, int]] = []
        self._opened = time.monotonic()
        self._over = False
        self._console = console or Console(stderr=True, no_color=not color, highlight=False)
        self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=10,
            # What is printed meanwhile is shown above; but a pipe stays one.
            redirect_stdout=sys.stdout.isatty(),
        )

    def __exit__(self, *_exception: object) -> None:
        with self._lock:
            self._over = True
            for row in self._rows.values():
                if row.seconds is None:
                    row.end(time.monotonic() - row.began, "yellow", "CANCELED ")
        self._live.stop()
        for build, step in self._failed:
            super()._show_end(build, step)

    def _show(self, build: str, event: BuildEvent) -> None:
        now = time.monotonic()
        match event:
            case Planned(graph, cached):
                self._known |= {(build, step) for step in graph.labels}
                for step in sorted(graph.labels):
                    if step in cached:
                        self._row((build, step), self._title(build, step), now).end(0.0, "blue", "CACHED ")
            case StepStarted(step):
                self._row((build, step), self._title(build, step), now)
            case StepOutput(step, line):
                row = self._rows[build, step]
                row.output = (*row.output, line)[-OUTPUT:]
            case StepDone(step, seconds, cached_now):
                self._rows[build, step].end(seconds, "blue", "CACHED " if cached_now else "")
            case StepFailed(step, seconds, _):
                self._rows[build, step].end(seconds, "red", "ERROR ")
            case StageOutput(name, line, seconds, done):
                row = self._rows.get((build, name)) or self._row((build, name), stage_title(build, name), now)
                if line:
                    row.output, row.keeps_output = (*row.output, line), True
                if done:
                    row.end(seconds, "blue")
        if not self._over:
            self._live.start()

    def _row(self, key: _Key, title: str, now: float) -> _Row:
        row = self._rows[key] = _Row(title, now)
        return row

    def _show_end(self, build: str, step: int) -> None:
        self._failed.append((build, step))

    def _draw(self) -> Table:
        """Called by another thread as well, without the lock: what it reads is replaced, never changed."""
        rows = list(self._rows.values())
        now = time.monotonic()
        done = sum(row.seconds is not None for row in rows)
        failed = any(row.style in ("red", "yellow") for row in rows)
        end = (" ERROR" if failed else " FINISHED") if self._over else ""
        total = len(self._known | self._rows.keys())
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(no_wrap=True, justify="right")
        table.add_row(Text(f"[+] Building {now - self._opened:.1f}s ({done}/{total}){end}"), "")
        room = len(rows) * (OUTPUT + 1) if self._over else self._console.height - AROUND
        for row, output in _fit(rows, room):
            seconds = row.seconds if row.seconds is not None else now - row.began
            table.add_row(Text(f" => {_shown(row.title)}", row.style), Text(f"{seconds:.1f}s", row.style))
            for line in output:
                table.add_row(Text(f" => => {_shown(line)}", "dim"), "")
        return table


def _fit(rows: Sequence[_Row], room: int) -> Iterator[tuple[_Row, Sequence[str]]]:
    """Rows with their output, in as many lines: running ones come first, then their output, then the newest others."""
    running = [row for row in rows if row.seconds is None][: max(room, 0)]
    left = room - len(running)
    each = min(OUTPUT, left // len(running)) if running else 0
    output = {id(row): row.output[len(row.output) - min(each, len(row.output)) :] for row in running}
    left -= sum(map(len, output.values()))
    for row in reversed(rows):
        kept = row.output if row.keeps_output else ()
        if row.seconds is not None and left > len(kept):
            output[id(row)] = kept
            left -= 1 + len(kept)
    for row in rows:
        if id(row) in output:
            yield row, output[id(row)]


def _shown(text: str) -> str:
    return visible(text.expandtabs())
