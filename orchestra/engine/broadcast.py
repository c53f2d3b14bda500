"""One stream of events, any number of subscribers, none of which can block the sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from orchestra.model.event import Event

T = TypeVar("T")

BACKLOG = 10_000
"""Events that a subscriber may lag behind before it is cut off."""


class Broadcast:
    def __init__(self) -> None:
        self._subscribers: list[MemoryObjectSendStream[Event]] = []
        self._closed = False

    def subscribe(self) -> MemoryObjectReceiveStream[Event]:
        """Every event from now on. The caller closes the stream; it ends with the engine, or if the reader lags."""
        send, receive = anyio.create_memory_object_stream["Event"](BACKLOG)
        if self._closed:
            send.close()
        else:
            self._subscribers.append(send)
        return receive

    def send(self, event: Event) -> None:
        for subscriber in tuple(self._subscribers):
            try:
                subscriber.send_nowait(event)
            except (anyio.WouldBlock, anyio.BrokenResourceError):
                subscriber.close()
                self._subscribers.remove(subscriber)

    def close(self) -> None:
        self._closed = True
        for subscriber in self._subscribers:
            subscriber.close()
        self._subscribers.clear()


async def in_batches(stream: MemoryObjectReceiveStream[T]) -> AsyncIterator[list[T]]:
    """Everything that is in the stream, each time that there is something."""
    async for item in stream:
        batch = [item]
        while stream.statistics().current_buffer_used:
            batch.append(stream.receive_nowait())
        yield batch
