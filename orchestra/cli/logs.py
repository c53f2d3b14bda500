"""``orchestra logs``: what containers wrote, from their files: nobody is asked, so it works whatever else does not."""

from __future__ import annotations

import heapq
import os
import select
import sys
import time
from itertools import chain, takewhile
from typing import NamedTuple

from orchestra.cli.looking import check_known, find_stack
from orchestra.cli.moments import now_as_stamp, parse_moment
from orchestra.cli.render.log_lines import LogPrinter
from orchestra.driver.local.logs import Gap, LogCursor
from orchestra.driver.local.observe import observe_containers
from orchestra.errors import UserError
from orchestra.model.observed import Created, Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.driver.local.log_follow import Happening
    from orchestra.driver.local.logs import Line
    from orchestra.home import StackHome
    from orchestra.model.observed import Container


class Selection(NamedTuple):
    """Which lines. services: empty for all; tail: None for all; since, until: stamps, empty for no limit."""

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
        """Put the cursor where to begin; the lines before it that are wanted."""
        if self.tail is not None:
            return [line for line in cursor.tail(self.tail) if self.covers(line)]
        if self.since:
            cursor.skip_before(self.since)
        return []

    def covers(self, line: Line | Gap) -> bool:
        return line.stamp >= self.since and not self.is_past(line)

    def is_past(self, line: Line | Gap) -> bool:
        return bool(self.until) and line.stamp > self.until


def run(invocation: Invocation) -> int:
    values = invocation.values
    selection = read_selection(values, time.time())
    if invocation.driver != "local":
        raise UserError(f"the driver {invocation.driver} keeps no logs")
    stack, declared = find_stack(invocation)
    home = invocation.home.stack(stack)
    containers = list(observe_containers(home).values())
    if not containers:
        from orchestra.cli.elsewhere import tell_of_root

        tell_of_root(invocation)
    check_known(selection.services, declared, (container.service for container in containers))
    chosen = [container for container in containers if selection.wants(container)]
    printer = LogPrinter(
        stack,
        declared or sorted({container.service for container in containers}),
        color=invocation.colors(sys.stdout) and not values["no_color"],
        prefix=not values["no_log_prefix"],
        timestamps=values["timestamps"],
    )
    printer.expect(*(container for container in chosen if not isinstance(container.status, Created)))
    if values["follow"]:
        if containers or os.path.exists(home.desired):
            _follow(invocation, home, selection, printer)
        return 0
    for container, line in _merge(home, chosen, selection):
        if isinstance(line, Gap):
            printer.say_missed(container, line.lines)
        else:
            printer.write(container, line)
    printer.flush()
    return 0


def read_selection(values: dict[str, Any], now: float) -> Selection:
    """Raises UserError."""
    services, index, tail = values["services"], values["index"], values["tail"]
    if index is not None and len(services) != 1:
        raise UserError("--index needs one service to be named", hint="for example logs --index 2 web")
    if tail != "all" and not tail.removeprefix("-").isdecimal():
        raise UserError(f"--tail {tail}: a number of lines or all is expected")
    count = None if tail == "all" or int(tail) < 0 else int(tail)
    since, until = (
        parse_moment(f"--{name}", values[name], now) if values[name] is not None else b"" for name in ("since", "until")
    )
    return Selection(tuple(services), index, count, since, until)


def _merge(
    home: StackHome, containers: Sequence[Container], selection: Selection
) -> Iterator[tuple[Container, Line | Gap]]:
    """The lines of all, by time; the lines of one stay in their order.

    What runs may write faster than this reads: rotated files are handed over, and what comes later is left out.
    """
    handover = None
    if any(isinstance(container.status, Running) for container in containers):
        from orchestra.driver.local.log_handover import Handover

        handover = Handover(home)
        handover.open()
    now = now_as_stamp()  # what is in the files by now stays readable

    def lines(container: Container) -> Iterator[tuple[Container, Line | Gap]]:
        log = f"{container.name}.log"
        chosen = selection
        if isinstance(container.status, Running) and not selection.until:
            chosen = selection._replace(until=now)
        cursor = LogCursor(f"{home.logs}/{log}", handover.of(log) if handover else None)
        first = chosen.first_lines(cursor)
        # Unfinished lines are asked for when everything else has been read.
        rest = chain.from_iterable(read() for read in (cursor.lines, cursor.finish))
        wanted = takewhile(lambda line: not chosen.is_past(line), chain(first, rest))
        yield from ((container, line) for line in wanted if line.stamp >= chosen.since)
        cursor.close()

    try:
        yield from heapq.merge(*map(lines, containers), key=lambda pair: pair[1].stamp)
    finally:
        if handover is not None:
            handover.close()


def _follow(invocation: Invocation, home: StackHome, selection: Selection, printer: LogPrinter) -> None:
    """Until no container is left that runs, will run again by itself or is being made; or ``until`` has passed."""
    from orchestra.cli.asking import client_of, request
    from orchestra.cli.mail import Mail
    from orchestra.driver.local.log_follow import Ended, Follower

    def chosen(happenings: Iterable[Happening]) -> Iterator[Happening]:
        return (happened for happened in happenings if isinstance(happened, Ended) or selection.covers(happened.line))

    with Follower(home, selection.wants) as follower:
        printer.show(chosen(follower.begin(selection.first_lines)))
        mail = Mail()
        poll = select.poll()
        poll.register(follower, select.POLLIN)
        poll.register(mail, select.POLLIN)
        asked = False
        while not _has_passed(selection.until):
            if follower.is_over and not asked:
                # An `up` may be about to start or replace some: the supervisor answers when it is done with it.
                asked = True
                question = request("settle", services=selection.services)
                mail.ask(client_of(invocation, home.name), "settle", question, start=False, events=False)
            poll.poll(0 if follower.is_behind else 1000 if selection.until else None)
            printer.show(chosen(follower.read()))
            if list(mail.read()):
                asked = False
                printer.show(chosen(follower.read_all()))
                if follower.is_over:
                    return


def _has_passed(stamp: bytes) -> bool:
    return bool(stamp) and now_as_stamp() > stamp
