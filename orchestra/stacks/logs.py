"""``logs``: the output of containers, read from their files, so that it works even if everything else is broken."""

from __future__ import annotations

import heapq
import os
import select
import time
from itertools import chain, takewhile

from orchestra.driver import Part
from orchestra.driver.local.logs import LogCursor
from orchestra.model.log import Ended, Gap, Missed, Written, render_stamp
from orchestra.model.observed import Running
from orchestra.record import Record, replace
from orchestra.stacks.containers import Seen, exists, find_stack, ignore, observe_containers, survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from orchestra.home import StackHome
    from orchestra.model.log import Happening, Line
    from orchestra.model.observed import Container
    from orchestra.stacks.context import Context

ABSENT = 1.0
"""Seconds between two looks for a stack that does not exist."""


class Selection(Record):
    """Selects lines. services: empty for all; tail: None for all; since, until: stamps, empty for no limit."""

    services: tuple[str, ...] = ()
    replica: int | None = None
    tail: int | None = None
    since: bytes = b""
    until: bytes = b""

    def wants(self, container: Container) -> bool:
        if self.services and container.service not in self.services:
            return False
        return self.replica is None or container.index == self.replica

    def first_lines(self, cursor: LogCursor) -> Iterable[Line]:
        """Move the cursor to the place to begin; return the selected lines before it."""
        if self.tail is not None:
            return [line for line in cursor.tail(self.tail) if self.covers(line)]
        if self.since:
            cursor.skip_before(self.since)
        return []

    def covers(self, line: Line | Gap) -> bool:
        return line.stamp >= self.since and not self.is_past(line)

    def is_past(self, line: Line | Gap) -> bool:
        return bool(self.until) and line.stamp > self.until


class Logs:
    """The logs of a stack. declared: services of its file, None without a file; containers: all that exist."""

    def __init__(self, context: Context, selection: Selection, tell: Callable[[Seen], None] = ignore) -> None:
        """Raises UserError for unknown services and for a driver without logs, and the errors of a load."""
        context.need(Part.LOGS)
        known = find_stack(context)
        self.stack, self.declared = known.stack, known.services
        self.containers = observe_containers(context, self.stack)
        survey(known, self.containers, selection.services, tell)
        self.chosen = [container for container in self.containers if selection.wants(container)]
        self._context = context
        self._selection = selection
        self._home = context.home.stack(self.stack)

    def without_log(self) -> list[str]:
        """The chosen services whose log driver keeps no log to read."""
        absent = [each for each in self.chosen if not os.path.exists(f"{self._home.logs}/{each.name}.log")]
        if not absent:
            return []
        from orchestra.driver.local.log_receivers import keeps_no_log

        return sorted({each.service for each in absent if keeps_no_log(self._home.container(each.name))})

    def read(self) -> Iterator[Written | Missed]:
        """The lines of all containers, by time; the lines of each one stay in order.

        Containers may write faster than this reads: rotated files are handed over, and later lines are left out.
        """
        return _merge(self._home, self.chosen, self._selection)

    def follow(self) -> Iterator[Iterable[Happening]]:
        """Existing lines, then new ones as they are written.

        Ends when no container is running, will restart by itself or is being created; or when ``until`` has passed.
        """
        if self.containers or os.path.exists(self._home.desired):
            yield from _follow(self._context, self._home, self._selection)


def feed_logs(
    context: Context, stack: str, selection: Selection, hear: Callable[[list[Happening]], None], stop: int
) -> None:
    """Existing lines, then new ones, of all containers that there are and will be, until ``stop`` is readable.

    Raises UserError for a driver without logs.
    """
    from orchestra.driver.local.log_follow import Follower
    from orchestra.linux.readiness import first_readable

    context.need(Part.LOGS)
    home = context.home.stack(stack)
    while not exists(context, stack):  # to follow it would make its directories
        if first_readable([stop], ABSENT):
            return
    with Follower(home, selection.wants) as follower:
        hear([each for each in follower.begin(selection.first_lines) if _is_covered(selection, each)])
        while stop not in first_readable(
            [follower.fileno(), stop], 0.0 if follower.is_behind else None if follower.containers else ABSENT
        ):
            # Without containers the stack may have been down meanwhile, and its directories are others.
            happenings = follower.read() if follower.containers else follower.read_all()
            hear([each for each in happenings if _is_covered(selection, each)])


def _is_covered(selection: Selection, happened: Happening) -> bool:
    return isinstance(happened, Ended) or selection.covers(happened.line)


def _merge(home: StackHome, containers: Iterable[Container], selection: Selection) -> Iterator[Written | Missed]:
    handover = None
    if any(isinstance(container.status, Running) for container in containers):
        from orchestra.driver.local.log_handover import Handover

        handover = Handover(home)
        handover.open()
    now = render_stamp(time.time_ns())  # lines already in the files stay readable

    def lines(container: Container) -> Iterator[Written | Missed]:
        log = f"{container.name}.log"
        chosen = selection
        if isinstance(container.status, Running) and not selection.until:
            chosen = replace(selection, until=now)
        cursor = LogCursor(f"{home.logs}/{log}", handover.of(log) if handover else None)
        first = chosen.first_lines(cursor)
        # Read unfinished lines after everything else.
        rest = chain.from_iterable(read() for read in (cursor.lines, cursor.finish))
        for line in takewhile(lambda line: not chosen.is_past(line), chain(first, rest)):
            if line.stamp >= chosen.since:
                yield Missed(container, line) if isinstance(line, Gap) else Written(container, line)
        cursor.close()

    each = [lines(container) for container in containers]
    try:
        yield from each[0] if len(each) == 1 else heapq.merge(*each, key=lambda happened: happened.line.stamp)
    finally:
        if handover is not None:
            handover.close()


def _follow(context: Context, home: StackHome, selection: Selection) -> Iterator[Iterable[Happening]]:
    from orchestra.driver.local.log_follow import Follower
    from orchestra.model.request import SettleRequest
    from orchestra.model.result import SettleResult
    from orchestra.stacks.mail import Mail

    def chosen(happenings: Iterable[Happening]) -> Iterator[Happening]:
        return (happened for happened in happenings if _is_covered(selection, happened))

    with Follower(home, selection.wants) as follower:
        yield chosen(follower.begin(selection.first_lines))
        mail: Mail[SettleResult] = Mail()
        poll = select.poll()
        poll.register(follower, select.POLLIN)
        poll.register(mail, select.POLLIN)
        client, question = context.client(home.name), SettleRequest(selection.services)
        asked = False
        while not (selection.until and render_stamp(time.time_ns()) > selection.until):
            if follower.is_over and not asked:
                # An `up` may be about to start or replace containers: the supervisor answers when that is done.
                asked = True
                mail.ask("settle", lambda: client.ask_if_running(SettleResult, question))
            poll.poll(0 if follower.is_behind else 1000 if selection.until else None)
            yield chosen(follower.read())
            if list(mail.read()):
                asked = False
                yield chosen(follower.read_all())
                if follower.is_over:
                    return
