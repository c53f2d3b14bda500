"""``orchestra logs``: what containers wrote, from their files: nobody is asked, so it works whatever else does not."""

from __future__ import annotations

import heapq
import select
import sys
import time
from itertools import chain, takewhile
from typing import NamedTuple

from orchestra.cli.looking import check_known, find_stack
from orchestra.cli.moments import parse_moment
from orchestra.cli.render.log_lines import LogPrinter, describe_end
from orchestra.driver.local.logs import LogCursor
from orchestra.driver.local.observe import observe_containers
from orchestra.errors import UserError
from orchestra.state.observed import Created

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.driver.local.logs import Line
    from orchestra.home import StackHome
    from orchestra.state.observed import Container


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

    def covers(self, line: Line) -> bool:
        return line.stamp >= self.since and not self.is_past(line)

    def is_past(self, line: Line) -> bool:
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
        _follow(home, selection, printer)
    else:
        for container, line in _merge(home, chosen, selection):
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


def _merge(home: StackHome, containers: Sequence[Container], selection: Selection) -> Iterator[tuple[Container, Line]]:
    """The lines of all, by time; the lines of one stay in their order."""

    def lines(container: Container) -> Iterator[tuple[Container, Line]]:
        cursor = LogCursor(f"{home.logs}/{container.name}.log")
        first = selection.first_lines(cursor)
        # Unfinished lines are asked for when everything else has been read.
        rest = chain.from_iterable(read() for read in (cursor.lines, cursor.finish))
        wanted = takewhile(lambda line: not selection.is_past(line), chain(first, rest))
        yield from ((container, line) for line in wanted if line.stamp >= selection.since)
        cursor.close()

    return heapq.merge(*map(lines, containers), key=lambda pair: pair[1].stamp)


def _follow(home: StackHome, selection: Selection, printer: LogPrinter) -> None:
    """Until no container is left that runs or will run again by itself, or ``until`` has passed."""
    from orchestra.driver.local.log_follow import Ended, Follower

    with Follower(home, selection.wants) as follower:
        for written in follower.begin(selection.first_lines):
            if selection.covers(written.line):
                printer.write(written.container, written.line)
        printer.flush()
        poll = select.poll()
        poll.register(follower, select.POLLIN)
        while not follower.is_over and not _has_passed(selection.until):
            poll.poll(0 if follower.is_behind else 1000 if selection.until else None)
            for happened in follower.read():
                if isinstance(happened, Ended):
                    printer.say(happened.container, describe_end(happened))
                elif selection.covers(happened.line):
                    printer.write(happened.container, happened.line)
            printer.flush()


def _has_passed(stamp: bytes) -> bool:
    return bool(stamp) and parse_moment("", "0s", time.time()) > stamp
