"""``GET /containers/{id}/logs``: from the files, as ``orchestra logs`` reads them."""

from __future__ import annotations

import time
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from orchestra.driver.local.log_follow import Follower
from orchestra.driver.local.logs import LogCursor
from orchestra.engine_api.errors import bad_request
from orchestra.engine_api.exchange import MULTIPLEXED, RAW_STREAM, wait_readable
from orchestra.engine_api.frames import STDERR, STDOUT, frame
from orchestra.engine_api.moment import parse_moment
from orchestra.model.log import NANOSECONDS, Ended, Gap, Line, Written, render_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestra.engine_api.exchange import Exchange, Request, Writer
    from orchestra.engine_api.world import Found, World

STREAMS = {b"stdout": STDOUT, b"stderr": STDERR}


class Selection(NamedTuple):
    """streams: numbers. since, until: stamps, empty for no limit. tail: None for all lines."""

    streams: frozenset[int]
    since: bytes
    until: bytes
    tail: int | None
    timestamps: bool
    terminal: bool

    def render(self, line: Line | Gap) -> bytes:
        """b"" for a line that is not selected, and for a place where lines are missing."""
        if isinstance(line, Gap) or not self.covers(line):
            return b""
        stream = STREAMS.get(line.stream, STDOUT)
        if stream not in self.streams:
            return b""
        text = line.text + b"\n"
        if self.timestamps:
            text = line.stamp + b" " + text
        return text if self.terminal else frame(stream, text)

    def covers(self, line: Line | Gap) -> bool:
        return line.stamp >= self.since and not self.is_past(line)

    def is_past(self, line: Line | Gap) -> bool:
        return bool(self.until) and line.stamp > self.until

    def begin(self, cursor: LogCursor) -> Iterable[Line]:
        """Move the cursor to the first line; return lines before its place."""
        if self.tail is not None:
            return cursor.tail(self.tail)
        if self.since:
            cursor.skip_before(self.since)
        return []


def logs(world: World, exchange: Exchange) -> None:
    found = world.find(exchange.parameters["name"])
    selection = read_selection(exchange.request, terminal=has_terminal(found))
    if not selection.streams:
        raise bad_request("Bad parameters: you must choose at least one stream")
    kind = RAW_STREAM if selection.terminal else MULTIPLEXED
    with exchange.stream(kind) as writer:
        if exchange.request.flag("follow"):
            _follow(found, selection, writer)
        else:
            for piece in read_log(found, selection):
                writer.write(piece)


def has_terminal(found: Found) -> bool:
    return bool(found.spec and found.spec.tty)


def read_selection(request: Request, *, terminal: bool) -> Selection:
    now = time.time()
    chosen = frozenset(number for name, number in (("stdout", STDOUT), ("stderr", STDERR)) if request.flag(name))
    since, until = (parse_moment(name, request.query.get(name, ""), now) for name in ("since", "until"))
    text = request.query.get("tail", "all")
    tail = int(text) if text.isascii() and text.isdecimal() else None
    return Selection(chosen, _stamp(since), _stamp(until), tail, request.flag("timestamps"), terminal)


def _stamp(seconds: float | None) -> bytes:
    return b"" if seconds is None else render_stamp(int(seconds * NANOSECONDS))


def read_log(found: Found, selection: Selection) -> Iterator[bytes]:
    """What is there by now, in pieces of a useful size."""
    cursor = LogCursor(f"{found.home.logs}/{found.container.name}.log")
    now = selection._replace(until=selection.until or render_stamp(time.time_ns()))
    try:
        yield from _joined(map(now.render, takewhile(lambda line: not now.is_past(line), _lines(cursor, selection))))
    finally:
        cursor.close()


def _lines(cursor: LogCursor, selection: Selection) -> Iterator[Line | Gap]:
    yield from selection.begin(cursor)
    yield from cursor.lines()
    yield from cursor.finish()


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting, size = [], 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= 1 << 17:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _follow(found: Found, selection: Selection, writer: Writer) -> None:
    """Until the container ends, or the client leaves."""
    with Follower(found.home, lambda each: each.id == found.id) as follower:
        writer.write(_render(follower.begin(selection.begin), selection))
        while follower.any_runs and not _is_over(selection):
            limit = 1.0 if selection.until else None
            ready = {follower.fileno()} if follower.is_behind else wait_readable(follower, writer, seconds=limit)
            if writer.fileno() in ready:
                return
            happenings = list(follower.read())
            writer.write(_render(happenings, selection))
            if any(isinstance(each, Ended) for each in happenings):
                break
        writer.write(_render(follower.read_all(), selection))


def _is_over(selection: Selection) -> bool:
    return bool(selection.until) and render_stamp(time.time_ns()) > selection.until


def _render(happenings: Iterable[object], selection: Selection) -> bytes:
    return b"".join(selection.render(each.line) for each in happenings if isinstance(each, Written))
