"""Answers that go on: server-sent events of the stack, and of its logs."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio
import anyio.from_thread
import anyio.to_thread
from starlette.responses import Response

from orchestra.errors import OrchestraError
from orchestra.model.log import Ended, Missed
from orchestra.stacks.hearing import Wake
from orchestra.stacks.logs import Logs, Selection, feed_logs
from orchestra.web.errors import Refusal, explain
from orchestra.web.reads import whole

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import Any

    from starlette.types import Receive, Scope, Send

    from orchestra.model.log import Happening
    from orchestra.web.desk import Desk

    Write = Callable[[bytes], Awaitable[None]]

STILL_HERE = 15.0
"""Seconds without a message after which a proxy, or the page, is shown that the connection still works."""
READERS = 32
"""Of logs at the same time: each has a thread."""
LINES = 400
"""In one message at most."""
LONGEST = 16384
"""Bytes of a line that are sent."""
FIRST_LINES = 1000
"""Of each container, before those that are written from now on."""
MOST_FIRST_LINES = 20_000


class EventStream(Response):
    """pour: writes the body, and returns at its end. It is cancelled when the client hangs up."""

    media_type = "text/event-stream"

    def __init__(self, pour: Callable[[Write], Awaitable[None]]) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._pour = pour

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        async def write(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        async with anyio.create_task_group() as group:

            async def await_end() -> None:
                while (await receive())["type"] != "http.disconnect":
                    continue
                group.cancel_scope.cancel()

            group.start_soon(await_end)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await write(b"retry: 300\n\n")
            await self._pour(write)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            group.cancel_scope.cancel()


async def stream_events(desk: Desk, _query: Mapping[str, list[str]]) -> EventStream:
    async def pour(write: Write) -> None:
        with desk.feed.reader() as reader:
            desk.look()
            while not reader.is_over:
                messages = await reader.take(STILL_HERE)
                await write(b"".join(message.render() for message in messages) or b": still here\n\n")

    return EventStream(pour)


class LogStreams:
    """threads: as many logs can be followed at the same time."""

    def __init__(self) -> None:
        self._threads = anyio.CapacityLimiter(READERS)

    async def stream_logs(self, desk: Desk, query: Mapping[str, list[str]]) -> EventStream:
        """service: any number of names, none for all; since: a stamp; tail: lines of each container."""
        selection = read_selection(query)
        if self._threads.available_tokens < 1:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many pages follow logs", "close some of them")
        # Before the answer begins: an unknown service is an error, and no empty stream.
        await anyio.to_thread.run_sync(Logs, desk.context, selection)

        async def pour(write: Write) -> None:
            with closing(Wake()) as wake:
                await self._follow(desk, selection, wake, write)

        return EventStream(pour)

    async def _follow(self, desk: Desk, selection: Selection, wake: Wake, write: Write) -> None:
        """The thread waits while four messages are not written yet: a slow client costs no memory."""
        sender, receiver = anyio.create_memory_object_stream[bytes](4)

        def deliver(data: bytes) -> None:
            anyio.from_thread.run(sender.send, data)

        def hear(happenings: Iterable[Happening]) -> None:
            for data in render_lines(happenings):
                deliver(data)

        def read() -> None:
            try:
                feed_logs(desk.context, desk.stack, selection, hear, wake.fileno())
            except (OrchestraError, OSError) as error:
                deliver(_render("failed", explain(error)))

        async def read_in_thread() -> None:
            with sender, suppress(anyio.BrokenResourceError):  # the client has hung up
                await anyio.to_thread.run_sync(read, limiter=self._threads)

        async def end_with_server() -> None:
            while not await desk.feed.wait_over(STILL_HERE):
                await write(b": still here\n\n")
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(read_in_thread)
            group.start_soon(end_with_server)
            try:
                with receiver:
                    async for data in receiver:
                        await write(data)
            finally:
                wake.give()
            group.cancel_scope.cancel()


def read_selection(query: Mapping[str, list[str]]) -> Selection:
    """Raises Refusal."""
    since = query.get("since", [""])[0]
    tail = whole(query.get("tail", [str(FIRST_LINES)])[0])
    if len(since) > 40 or not since.isascii():
        raise Refusal(HTTPStatus.BAD_REQUEST, "since: expected the stamp of a line")
    return Selection(
        services=tuple(query.get("service", ())),
        tail=min(tail, MOST_FIRST_LINES),
        since=since.encode(),
    )


def render_lines(happenings: Iterable[Happening]) -> Iterable[bytes]:
    """Messages of lines: container, stamp, ``stdout`` or ``stderr``, text. And of gaps, and ends."""
    rows: list[list[Any]] = []
    for happened in happenings:
        name = happened.container.name
        match happened:
            case Ended(exited=exited):
                rows.append([name, "", "end", f"exit code {'?' if exited.exit_code is None else exited.exit_code}"])
            case Missed(line=gap):
                rows.append([name, gap.stamp.decode(), "gap", f"{gap.lines} lines are lost"])
            case _:
                text = happened.line.text[:LONGEST].decode(errors="replace").rstrip("\r\n")
                rows.append([name, happened.line.stamp.decode(), happened.line.stream.decode(), text])
        if len(rows) >= LINES:
            yield _render("lines", rows)
            rows = []
    if rows:
        yield _render("lines", rows)


def _render(topic: str, value: object) -> bytes:
    return f"event: {topic}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode()
