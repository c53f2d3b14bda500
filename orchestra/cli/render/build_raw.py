"""Progress of builds as BuildKit's ``rawjson``: one object per line, with what is new of steps and of their output.

Source: BuildKit's ``client/graph.go`` (``SolveStatus``); times are RFC 3339, output is base64.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from datetime import UTC, datetime

from orchestra.build.event import Planned, StageOutput, StepDone, StepFailed, StepOutput, StepStarted
from orchestra.build.key import parents_of
from orchestra.cli.render.build import Silent, stage_title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.build.event import BuildEvent

STDOUT = 1


class RawJson(Silent):
    def __init__(self) -> None:
        super().__init__()
        self._started: dict[tuple[str, int | str], str] = {}

    def _show(self, build: str, event: BuildEvent) -> None:
        now = datetime.now(UTC).isoformat()
        match event:
            case Planned(graph, cached):
                times = {"started": now, "completed": now, "cached": True}
                rows = [self._vertex(build, step, times if step in cached else {}) for step in sorted(graph.labels)]
                self._print(vertexes=rows)
            case StepStarted(step):
                self._started[build, step] = now
                self._print(vertexes=[self._vertex(build, step, {"started": now})])
            case StepOutput(step, line):
                self._print(logs=[_log(build, step, line, now)])
            case StepDone(step, _, cached_now):
                self._end(build, step, now, {"cached": True} if cached_now else {})
            case StepFailed(step, _, error):
                self._end(build, step, now, {"error": error})
            case StageOutput(name, line, _, done):
                if (build, name) not in self._started:
                    self._started[build, name] = now
                    self._print(vertexes=[self._vertex(build, name, {"started": now})])
                if line:
                    self._print(logs=[_log(build, name, line, now)])
                if done:
                    self._end(build, name, now, {})

    def _end(self, build: str, what: int | str, now: str, more: dict[str, Any]) -> None:
        times = {"started": self._started[build, what], "completed": now}
        self._print(vertexes=[self._vertex(build, what, times | more)])

    def _vertex(self, build: str, what: int | str, more: dict[str, Any]) -> dict[str, Any]:
        if isinstance(what, str):
            return {"digest": _digest(build, what), "name": stage_title(build, what), **more}
        graph = self._graphs[build]
        inputs = [_digest(build, parent) for parent in parents_of(graph.steps[what]) if parent in graph.labels]
        found = {"digest": _digest(build, what), "name": self._title(build, what), **more}
        return found | ({"inputs": inputs} if inputs else {})

    def _show_end(self, build: str, step: int) -> None:
        """The lines have been written."""

    @staticmethod
    def _print(**members: list[dict[str, Any]]) -> None:
        print(json.dumps(members), file=sys.stderr, flush=True)


def _digest(build: str, what: int | str) -> str:
    """It only tells vertices of one command apart."""
    return f"sha256:{hashlib.sha256(repr((build, what)).encode()).hexdigest()}"


def _log(build: str, what: int | str, line: str, now: str) -> dict[str, Any]:
    data = base64.b64encode(f"{line}\n".encode(errors="replace")).decode()
    return {"vertex": _digest(build, what), "stream": STDOUT, "data": data, "timestamp": now}
