"""``events``: what a container uses, again and again, and each time the kernel killed for want of memory."""

from __future__ import annotations

import json
import os
import select

from orchestra.linux import cgroup_stats, process
from orchestra.runtime.arguments import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.runtime.arguments import Options
    from orchestra.runtime.context import Context

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def events_command(context: Context, options: Options, words: list[str]) -> int:
    container = context.container(words[0])
    found = container.find_running("created", "running", "paused")
    interval = _seconds(options.value("interval") or "5s")
    group = container.group_of(found.record)

    def show(kind: str, data: Any = None) -> None:
        event = {"type": kind, "id": words[0]}
        print(json.dumps(event if data is None else {**event, "data": data}), flush=True)

    show("stats", cgroup_stats.load_stats(group))
    if options.flag("stats"):
        return 0
    kills = group.oom_kills()
    try:
        pidfd = process.open_pidfd(container.process_of(found.record))
    except ProcessLookupError:
        return 0
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        while not poll.poll(interval * 1000):
            now = group.oom_kills()
            if now > kills:
                show("oom")
            kills = now
            show("stats", cgroup_stats.load_stats(group))
        if group.oom_kills() > kills:
            show("oom")
    finally:
        os.close(pidfd)
    return 0


def _seconds(text: str) -> float:
    """A number and a unit, as in ``5s``."""
    for unit, factor in SECONDS.items():
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit():
            return max(0.001, float(number) * factor)
    raise UsageError(f"--interval: {text!r} is not a number with one of the units {', '.join(SECONDS)}")
