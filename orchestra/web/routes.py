"""Every address of the page, in one table: what is not in it does not exist, and each row says what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.record import Record
from orchestra.web import reads, writes
from orchestra.web.streams import LogStreams, stream_events
from orchestra.web.terminal import Terminals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.responses import Response
    from starlette.websockets import WebSocket

    from orchestra.web.desk import Desk


class Read(Record):
    """answer: takes the parameters of path and query."""

    path: str
    answer: Callable[[Desk, Mapping[str, str]], dict[str, Any]]


class Write(Record):
    """answer: takes the body. For operators only."""

    path: str
    answer: Callable[[Desk, Mapping[str, Any]], dict[str, Any]]


class Stream(Record):
    path: str
    begin: Callable[[Desk, Mapping[str, list[str]]], Awaitable[Response]]


class Terminal(Record):
    """For operators only."""

    path: str
    serve: Callable[[Desk, WebSocket, Mapping[str, str]], Awaitable[None]]


Route = Read | Write | Stream | Terminal


def make_routes() -> tuple[Route, ...]:
    return (
        Read("/api/graph", reads.get_graph),
        Read("/api/containers/{name}", reads.get_container),
        Read("/api/events", reads.get_events),
        Read("/api/timeline", reads.get_timeline),
        Read("/api/plan", reads.get_plan),
        Read("/api/history", reads.get_history),
        Read("/api/history/{number}", reads.get_revision),
        Stream("/api/live", stream_events),
        Stream("/api/logs", LogStreams().stream_logs),
        Write("/api/start", writes.post_start),
        Write("/api/stop", writes.post_stop),
        Write("/api/restart", writes.post_restart),
        Write("/api/scale", writes.post_scale),
        Write("/api/apply", writes.post_apply),
        Write("/api/rollback", writes.post_rollback),
        Terminal("/api/terminal/{service}", Terminals().serve),
    )
