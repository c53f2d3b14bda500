"""What happens to one stack, for threads that listen for long: its supervisors come and go meanwhile."""

from __future__ import annotations

import os
import time
from contextlib import closing, suppress

from orchestra.control.arrival import Arrival
from orchestra.control.desired_file import load_desired
from orchestra.control.history import read_events
from orchestra.errors import OrchestraError
from orchestra.linux.readiness import first_readable, readable
from orchestra.model.event import SnapshotEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.control.listening import Listening
    from orchestra.home import StackHome
    from orchestra.model.event import Change, Event
    from orchestra.stacks.context import Context

AGAIN = 1.0
"""Seconds after which a supervisor that did not answer is asked again."""


class Wake:
    """Ends waits from any thread. Readable once it was given, until ``take``."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def fileno(self) -> int:
        return self._reader

    def give(self) -> None:
        with suppress(BlockingIOError):  # then it is readable already
            os.write(self._writer, b"\0")

    def take(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._reader, 1 << 12)

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


class Hearing:
    """The events of a stack, from its supervisor or from the next one. Needs no supervisor, and starts none.

    Events may be lost or repeated: look at the stack again after each return of ``hear``, or see ``feed_events``.
    wake: a descriptor that ends waits while it is readable.
    """

    def __init__(self, context: Context, stack: str, wake: int) -> None:
        self._home = context.home.stack(stack)
        self._client = context.client(stack)
        self._wake = wake
        self._listening: Listening | None = None

    @property
    def is_supervised(self) -> bool:
        return self._listening is not None

    def hear(self, seconds: float | None = None) -> list[Event]:
        """Return when something has happened, a supervisor may have come or has left, or the time is up."""
        if self._listening is None:
            with Arrival(self._home.run) as arrival, Arrival(self._home.data) as asking:
                patience = self._connect(seconds)
                if self._listening is None:
                    first_readable([arrival.fileno(), asking.fileno(), self._wake], patience)
            return []
        if not self._listening.is_ready:
            ready = first_readable([self._listening.fileno(), self._wake], seconds)
            if self._listening.fileno() not in ready:
                return []
        return self._read(self._listening)

    def close(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def _connect(self, seconds: float | None) -> float | None:
        """How long to wait before it is tried again, if no file changes.

        A connection to the socket of a stack that goes down would start another supervisor.
        """
        try:
            desired = load_desired(self._home)
            if desired is None or desired.is_down:
                return seconds
            self._listening = self._client.listen()
        except (OSError, OrchestraError):
            pass  # damaged, of another version, or just leaving
        return AGAIN if seconds is None else min(seconds, AGAIN)

    def _read(self, listening: Listening) -> list[Event]:
        try:
            events = listening.read()
        except (OSError, OrchestraError, ValueError):
            events = None
        if events is None:
            self.close()
            return []
        return events


def feed_events(context: Context, stack: str, hear: Callable[[Event], None], stop: int) -> None:
    """Return when the descriptor ``stop`` is readable.

    hear: is called with a snapshot whenever a supervisor begins to answer, then with what happens. What happened in
    between, while none answered, comes before the snapshot.
    """
    relay = _Relay(context.home.stack(stack), hear)
    with closing(Hearing(context, stack, stop)) as hearing:
        while not readable(stop, 0.0):
            for event in hearing.hear():
                relay.take(event)


class _Relay:
    def __init__(self, home: StackHome, hear: Callable[[Event], None]) -> None:
        self._home, self._hear = home, hear
        self._told_at = time.time()
        self._replayed: list[Change] = []

    def take(self, event: Event) -> None:
        if isinstance(event, SnapshotEvent):
            # All that this conversation does not tell is on disk by now, and perhaps some of what it will tell.
            self._replayed = [each for each in read_events(self._home) if each.at > self._told_at]
            for each in self._replayed:
                self._tell(each)
            self._hear(event)
        elif event not in self._replayed:
            self._tell(event)

    def _tell(self, event: Change) -> None:
        self._hear(event)
        self._told_at = max(self._told_at, event.at)
