"""What the containers of a stack have written, and waiting for what they will."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING

from orchestra.driver.local.log_follow import Follower
from orchestra.linux.readiness import first_readable
from orchestra.model.log import Written
from orchestra.named_tuple import NamedTuple
from orchestra.stacks.logs import Logs, Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestra.home import StackHome
    from orchestra.model.log import Happening
    from orchestra.stacks.context import Context


class LogLine(NamedTuple):
    """One line. ``time``: when it was written, in Unix seconds. ``stream``: ``stdout`` or ``stderr``."""

    container: str
    service: str
    time: float
    stream: str
    text: str

    def __str__(self) -> str:
        return f"{self.container} | {self.text}"


def read_lines(context: Context, services: Sequence[str] = (), tail: int | None = None) -> list[LogLine]:
    """By time. tail: how many of each container at most. Raises UserError for unknown services."""
    logs = Logs(context, Selection(tuple(services), tail=tail))
    return _lines(logs.read())


def wait_for_line(home: StackHome, service: str, pattern: str, seconds: float, stop: int = -1) -> LogLine:
    """The first line, written before or now, that the regular expression is found in.

    seconds: how long to wait; then TimeoutError. stop: a descriptor that is readable once the wait is cancelled; -1
    for none.
    """
    wanted = re.compile(pattern)
    deadline = time.monotonic() + seconds
    with Follower(home, lambda container: container.service == service) as follower:
        happened: Iterable[Happening] = follower.begin(lambda _cursor: ())
        while True:
            for line in _lines(happened):
                if wanted.search(line.text):
                    return line
            left = 0.0 if follower.is_behind else deadline - time.monotonic()
            if left < 0:
                raise TimeoutError(f"service {service} wrote no line with {pattern!r} within {seconds:g} s")
            if stop in first_readable([follower.fileno(), *([stop] if stop >= 0 else [])], left):
                raise TimeoutError(f"the wait for service {service} was cancelled")
            happened = follower.read()


def _lines(happened: Iterable[Happening]) -> list[LogLine]:
    return [_line(each) for each in happened if isinstance(each, Written)]


def _line(written: Written) -> LogLine:
    container, line = written
    moment = datetime.fromisoformat(line.stamp.decode()).timestamp()
    return LogLine(container.name, container.service, moment, line.stream.decode(), line.text.decode(errors="replace"))
