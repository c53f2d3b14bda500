"""What a watch reports, as lines. The first sentences are Docker Compose's."""

from __future__ import annotations

import sys
from typing import assert_never

from orchestra.stacks.watching.events import (
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
    from orchestra.stacks.watching.events import WatchEvent


def print_watch_event(event: WatchEvent) -> None:
    """Output of commands on standard output, everything else on standard error."""
    line = describe(event)
    if line:
        print(visible(line), file=sys.stdout if isinstance(event, Output) else sys.stderr, flush=True)


def describe(event: WatchEvent) -> str:
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
