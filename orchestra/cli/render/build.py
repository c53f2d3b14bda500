"""Progress of builds on standard error, in the form of BuildKit's plain output.

#5 [web 2/4] RUN make
#5 0.532 cc -o shop shop.c
#5 DONE 1.2s
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque

from orchestra.build.event import Planned, StageOutput, StepDone, StepFailed, StepOutput, StepStarted
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.build.event import BuildEvent
    from orchestra.build.step import Graph

LAST_LINES = 20


class Silent:
    """Shows nothing but the last lines of a step that fails; subclasses add output. Any thread may call ``hear``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._graphs: dict[str, Graph] = {}
        self._last: dict[tuple[str, int], deque[str]] = {}
        self._began: dict[tuple[str, int], float] = {}

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_exception: object) -> None:
        return None

    def hear(self, build: str, event: BuildEvent) -> None:
        """build: the service that is built, or empty."""
        with self._lock:
            match event:
                case Planned(graph):
                    self._graphs[build] = graph
                case StepStarted(step):
                    self._began[build, step] = time.monotonic()
                    self._last[build, step] = deque(maxlen=LAST_LINES)
                case StepOutput(step, line):
                    self._last[build, step].append(f"{self._elapsed(build, step)} {line}")
            self._show(build, event)
            if isinstance(event, StepFailed):
                self._show_end(build, event.step)

    def _show(self, build: str, event: BuildEvent) -> None:
        """For subclasses."""

    def _show_end(self, build: str, step: int) -> None:
        self._write("------")
        self._write(f" > {self._title(build, step)}:")
        for line in self._last.get((build, step), ()):
            self._write(line)
        self._write("------")

    def _elapsed(self, build: str, step: int) -> str:
        return f"{time.monotonic() - self._began[build, step]:.3f}"

    def _title(self, build: str, step: int) -> str:
        graph = self._graphs[build]
        label = graph.labels.get(step)
        if label is None:
            return f"[{build or 'internal'}] step {step}"
        names = " ".join(filter(None, (build, label.stage)))
        return f"[{names + ' ' if names else ''}{label.position}/{label.count}] {label.text}"

    @staticmethod
    def _write(line: str) -> None:
        print(visible(line.expandtabs()), file=sys.stderr, flush=True)


def stage_title(build: str, name: str) -> str:
    """name: of work that is no step."""
    return f"[{build + ' ' if build else ''}internal] {name}" if name.startswith("load") else name


class PlainSteps(Silent):
    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[tuple[str, int | str], int] = {}

    def _show(self, build: str, event: BuildEvent) -> None:
        match event:
            case Planned(graph, cached):
                for step in sorted(graph.labels):
                    if step in cached:
                        self._begin(build, step, self._title(build, step))
                        self._say(build, step, "CACHED")
            case StepStarted(step):
                self._begin(build, step, self._title(build, step))
            case StepOutput(step, line):
                self._say(build, step, f"{self._elapsed(build, step)} {line}")
            case StepDone(step, seconds, cached):
                self._say(build, step, "CACHED" if cached else f"DONE {seconds:.1f}s")
            case StepFailed(step, _, error):
                self._say(build, step, f"ERROR: {error}")
            case StageOutput(name, line, seconds, done):
                if (build, name) not in self._numbers:
                    self._begin(build, name, stage_title(build, name))
                if line:
                    self._say(build, name, line)
                if done:
                    self._say(build, name, f"DONE {seconds:.1f}s")

    def _begin(self, build: str, what: int | str, title: str) -> None:
        number = self._numbers[build, what] = len(self._numbers) + 1
        self._write(f"#{number} {title}")

    def _say(self, build: str, what: int | str, text: str) -> None:
        self._write(f"#{self._numbers[build, what]} {text}")


class JsonEvents(Silent):
    """One object per line. ``id`` is the build, ``step`` the number of a step."""

    def _show(self, build: str, event: BuildEvent) -> None:
        row: dict[str, object] = {"build": build, "event": type(event).__name__}
        match event:
            case Planned(_, cached):
                row["cached"] = sorted(cached)
            case StepStarted(step):
                row |= {"step": step, "name": self._title(build, step)}
            case StepOutput(step, line):
                row |= {"step": step, "line": line}
            case StepDone(step, seconds, cached_now):
                row |= {"step": step, "seconds": round(seconds, 3), "cached": cached_now}
            case StepFailed(step, seconds, error):
                row |= {"step": step, "seconds": round(seconds, 3), "error": error}
            case StageOutput(name, line, seconds, done):
                row |= {"name": name, "line": line, "seconds": round(seconds, 3), "done": done}
        print(json.dumps(row, separators=(",", ":")), file=sys.stderr, flush=True)

    def _show_end(self, build: str, step: int) -> None:
        """The lines have been written."""
