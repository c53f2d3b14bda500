"""Requests to the supervisor, made by threads that only wait for the answers; a loop handles these."""

from __future__ import annotations

import contextlib
import os
import threading
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestra.model.event import Event

T = TypeVar("T")


class Heard(NamedTuple):
    """An event before the answer. topic: the topic of the request."""

    topic: str
    event: Event


class Answered(NamedTuple, Generic[T]):
    """result: None if no supervisor is listening, where that is allowed."""

    topic: str
    result: T | None


class Failed(NamedTuple):
    topic: str
    error: Exception


class Mail(Generic[T]):
    """Answers of the supervisor, in order of arrival; ``fileno`` is readable if there are any."""

    def __init__(self) -> None:
        self._letters: SimpleQueue[Heard | Answered[T] | Failed] = SimpleQueue()
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def fileno(self) -> int:
        return self._reader

    def ask(self, topic: str, converse: Callable[[], T | None]) -> None:
        """Make the request in a daemon thread, which does not keep the process from exiting.

        converse: may call ``hear``; but the events of a long request fill the memory until they are read.
        """

        def ask() -> None:
            try:
                result = converse()
            except Exception as error:  # the loop raises it
                self._deliver(Failed(topic, error))
            else:
                self._deliver(Answered(topic, result))

        threading.Thread(target=ask, name=topic, daemon=True).start()

    def hear(self, topic: str, event: Event) -> None:
        self._deliver(Heard(topic, event))

    def tell(self, topic: str, result: T) -> None:
        """Deliver a result of a request that goes on."""
        self._deliver(Answered(topic, result))

    def read(self) -> Iterable[Heard | Answered[T] | Failed]:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 1 << 16)
        with contextlib.suppress(Empty):
            while True:
                yield self._letters.get_nowait()

    def _deliver(self, letter: Heard | Answered[T] | Failed) -> None:
        self._letters.put(letter)
        with contextlib.suppress(BlockingIOError):  # in that case it is already readable
            os.write(self._writer, b"\0")
