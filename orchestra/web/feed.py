"""News for any number of clients, none of which can hold up another or fill the memory.

A client gets the newest message of each topic: what it was too slow to read is replaced. Messages of the topics in
``EACH`` are all kept, up to a limit; beyond it, they are dropped, and the client is told to ask for everything.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

EACH = frozenset({"event"})
KEPT = 256
"""Messages that wait for one client."""


class Message(Record):
    """data: JSON on one line."""

    topic: str
    data: bytes

    def render(self) -> bytes:
        """As a server-sent event."""
        return b"event: %s\ndata: %s\n\n" % (self.topic.encode(), self.data)


AGAIN = Message("again", b"{}")
"""Events were dropped: what is made from them is to be asked for anew."""


class Reader:
    """What waits for one client."""

    def __init__(self) -> None:
        self._newest: dict[str, Message] = {}
        self._each: deque[Message] = deque()
        self._is_there = anyio.Event()
        self.is_over = False

    def put(self, message: Message) -> None:
        if message.topic not in EACH:
            self._newest[message.topic] = message
        elif len(self._each) < KEPT:
            self._each.append(message)
        else:
            self._each.clear()
            self._newest[AGAIN.topic] = AGAIN
        self._is_there.set()

    def end(self) -> None:
        self.is_over = True
        self._is_there.set()

    async def take(self, seconds: float) -> list[Message]:
        """Everything that waits, as soon as there is anything; empty if the time is up or it is over."""
        with anyio.move_on_after(seconds):
            await self._is_there.wait()
        if not self.is_over:
            self._is_there = anyio.Event()
        found = [*self._newest.values(), *self._each]
        self._newest.clear()
        self._each.clear()
        return found


class Feed:
    """Used by the loop's thread only."""

    def __init__(self) -> None:
        self._readers: set[Reader] = set()
        self._newest: dict[str, Message] = {}
        self._over = anyio.Event()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    async def wait_over(self, seconds: float) -> bool:
        """Whether it is over, as soon as it is, or after that time."""
        with anyio.move_on_after(seconds):
            await self._over.wait()
        return self.is_over

    @property
    def has_readers(self) -> bool:
        return bool(self._readers)

    def publish(self, message: Message) -> None:
        if message.topic not in EACH:
            self._newest[message.topic] = message
        for reader in self._readers:
            reader.put(message)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """It begins with the newest message of each topic."""
        reader = Reader()
        for message in self._newest.values():
            reader.put(message)
        if self.is_over:
            reader.end()
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    def close(self) -> None:
        self._over.set()
        for reader in self._readers:
            reader.end()
