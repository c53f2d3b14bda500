"""Requests to the supervisor that are made by threads, which do nothing but wait for the answers: a loop opens them."""

from __future__ import annotations

import contextlib
import os
import threading
from queue import Empty, SimpleQueue
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from orchestra.control.client import Client


class Letter(NamedTuple):
    """op: of the request. One of the others is there: an event before the answer, the result, or what went wrong."""

    op: str
    event: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: Exception | None = None


class Mail:
    """Answers of the supervisor, in the order in which they come; ``fileno`` is readable when there are some."""

    def __init__(self) -> None:
        self._letters: SimpleQueue[Letter] = SimpleQueue()
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def fileno(self) -> int:
        return self._reader

    def ask(self, client: Client, op: str, message: bytes, *, start: bool = True, events: bool = True) -> None:
        """In a daemon thread, which does not keep the command from ending.

        start: what is not running; else the result is empty when nothing listens. events: are of use; those of a
        request that lasts would fill the memory while a terminal stands still.
        """

        def deliver(event: dict[str, Any]) -> None:
            self._deliver(Letter(op, event=event))

        hear = deliver if events else None

        def converse() -> None:
            try:
                result = client.ask(message, hear) if start else client.ask_if_running(message, hear) or {}
            except Exception as error:  # it is the loop's to raise
                self._deliver(Letter(op, error=error))
            else:
                self._deliver(Letter(op, result=result))

        threading.Thread(target=converse, name=op, daemon=True).start()

    def read(self) -> Iterable[Letter]:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 1 << 16)
        with contextlib.suppress(Empty):
            while True:
                yield self._letters.get_nowait()

    def _deliver(self, letter: Letter) -> None:
        self._letters.put(letter)
        with contextlib.suppress(BlockingIOError):  # then it is readable already
            os.write(self._writer, b"\0")
