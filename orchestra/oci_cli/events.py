"""``events``: a container's usage at intervals, and a report each time its memory runs out. The format is runc's."""

from __future__ import annotations

import json
import select
import time

from orchestra.command_line.read import Misused
from orchestra.linux import oom, process
from orchestra.linux.cgroup.stats import load_stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.oci_cli.arguments import Options
    from orchestra.oci_cli.context import Context

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def events_command(context: Context, options: Options, words: list[str]) -> int:
    container = context.container(words[0])
    found = container.find_running("created", "running", "paused")
    interval = _seconds(options.value("interval") or "5s")
    group = container.group_of(found.record)

    def show(kind: str, data: Any = None) -> None:
        event = {"type": kind, "id": words[0]}
        print(json.dumps(event if data is None else {**event, "data": data}, separators=(",", ":")), flush=True)

    if options.flag("stats"):
        show("stats", load_stats(group))
        return 0
    try:
        pidfd = process.open_pidfd(container.process_of(found.record))
    except ProcessLookupError:
        return 0
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    watch = oom.watch_oom(group)
    poll.register(watch, select.POLLIN)
    due = time.monotonic() + interval
    ended = False
    while not ended:
        ready = [fd for fd, _events in poll.poll(max(0.0, due - time.monotonic()) * 1000)]
        ended = pidfd in ready
        if watch.happened():
            show("oom")
        if not ended and time.monotonic() >= due:
            show("stats", load_stats(group))
            due += interval
    return 0


def _seconds(text: str) -> float:
    """A number and a unit, as in ``5s``."""
    for unit, factor in SECONDS.items():
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit():
            return max(0.001, float(number) * factor)
    raise Misused(f"--interval: {text!r} is not a number with one of the units {', '.join(SECONDS)}")
