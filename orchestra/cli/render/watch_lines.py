"""What a watch reports, as lines, and the progress of its builds. The first sentences are Docker Compose's."""

from __future__ import annotations

import sys
from typing import assert_never

from orchestra.stacks.watching.events import (
    Building,
    Executed,
    Output,
    Rebuilding,
    Rebuilt,
    Restarted,
    Syncing,
    Trouble,
    WatchEnabled,
)
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.cli.render.build import Silent
    from orchestra.stacks.watching.events import WatchEvent

    LineEvent = WatchEnabled | Syncing | Rebuilding | Rebuilt | Restarted | Output | Executed | Trouble


class WatchLines:
    """Output of commands on standard output, everything else on standard error.

    open_progress: of builds; it is open while there are any.
    """

    def __init__(self, open_progress: Callable[[], Silent]) -> None:
        self._open_progress = open_progress
        self._builds: set[str] = set()
        self._progress: Silent | None = None

    def __enter__(self) -> WatchLines:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._progress is not None:
            self._progress.__exit__(*exception)
            self._progress = None

    def show(self, event: WatchEvent) -> None:
        if isinstance(event, Building):
            self._follow(event)
        elif line := describe(event):
            print(visible(line), file=sys.stdout if isinstance(event, Output) else sys.stderr, flush=True)

    def _follow(self, building: Building) -> None:
        if building.event is None:
            self._builds.discard(building.service)
            if not self._builds:
                self.__exit__()
            return
        self._builds.add(building.service)
        if self._progress is None:
            self._progress = self._open_progress().__enter__()
        self._progress.hear(building.service, building.event)


def describe(event: LineEvent) -> str:
    """Empty for a command that has succeeded: its output is enough."""
    match event:
        case WatchEnabled():
            return "Watch enabled"
        case Syncing(service, count):
            return f'Syncing service "{service}" after {count} changes were detected'
        case Rebuilding(service):
            return f'Rebuilding service "{service}" after changes were detected...'
        case Rebuilt(service):
            return f'service "{service}" successfully built'
        case Restarted(services):
            return ", ".join(f'service "{service}"' for service in services) + " restarted"
        case Output(container, text):
            return f"{container}  | {text}"
        case Executed(container, command, exit_code):
            return f"{container}: {command[0]} exited with code {exit_code}" if exit_code else ""
        case Trouble(service, text):
            return f"warning: service {service}: {text}" if service else f"warning: {text}"
        case _:
            assert_never(event)
