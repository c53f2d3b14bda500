"""The events of a stack as they happen, for loops of both kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.linux.readiness import readable
from orchestra.model.event import PullEvent

if TYPE_CHECKING:
    from orchestra.control.client import Client
    from orchestra.control.listening import Listening
    from orchestra.model.event import Event


class EventStream:
    """Events from the moment it was made: iterate over it, and close it in the end, best with ``with``.

    The first event is a ``SnapshotEvent``. Another one comes where the supervisor was replaced in between: it tells
    what the events that were lost have led to. Ends when the stack is down.

    timeout: seconds to wait for each event; then TimeoutError. None waits without a limit.
    """

    def __init__(self, client: Client, timeout: float | None = None) -> None:
        self._client = client
        self._timeout = timeout
        self._waiting: list[Event] = []
        self._listening: Listening | None = client.listen()

    def __iter__(self) -> EventStream:
        return self

    def __next__(self) -> Event:
        while not self._waiting:
            if self._listening is None:
                raise StopIteration
            if not self._listening.is_ready and not readable(self._listening.fileno(), self._timeout):
                raise TimeoutError(f"no event within {self._timeout} s")
            self._read()
        return self._waiting.pop(0)

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """A second call does nothing."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def _read(self) -> None:
        assert self._listening is not None
        try:
            arrived = self._listening.read()
        except (ConnectionResetError, BrokenPipeError):
            self.close()
            self._listening = self._client.listen()
            return
        if arrived is None:
            self.close()
        else:
            self._waiting += [event for event in arrived if not isinstance(event, PullEvent)]


class AsyncEventStream(EventStream):
    """The same for ``async for`` and ``async with``."""

    def __aiter__(self) -> AsyncEventStream:
        return self

    async def __anext__(self) -> Event:
        from anyio import wait_readable

        while not self._waiting:
            if self._listening is None:
                raise StopAsyncIteration
            if not self._listening.is_ready:
                await wait_readable(self._listening)
            self._read()
        return self._waiting.pop(0)

    async def __aenter__(self) -> AsyncEventStream:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.close()
