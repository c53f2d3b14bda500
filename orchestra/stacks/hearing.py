"""What happens to one stack, for a thread that listens for as long as it likes and that others can wake."""

from __future__ import annotations

import os
from contextlib import suppress

from orchestra.control.arrival import Arrival
from orchestra.control.desired_file import load_desired
from orchestra.errors import OrchestraError
from orchestra.linux.readiness import first_readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.control.listening import Listening
    from orchestra.model.event import Event
    from orchestra.stacks.context import Context


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
    """The events of a stack, from its supervisor or from the next one: supervisors come and go.

    Events may be lost or repeated: look at the stack again after each return of ``hear``.
    """

    def __init__(self, context: Context, stack: str, wake: Wake) -> None:
        self._home = context.home.stack(stack)
        self._client = context.client(stack)
        self._wake = wake
        self._listening: Listening | None = None

    @property
    def is_supervised(self) -> bool:
        return self._listening is not None

    def hear(self, seconds: float | None = None) -> list[Event]:
        """Return when something has happened, a supervisor has come or left, the time is up, or ``wake`` was given."""
        if self._listening is None:
            with Arrival(self._home.run) as arrival:
                self._connect()
                if self._listening is None:
                    first_readable([arrival.fileno(), self._wake.fileno()], seconds)
                    self._wake.take()
            return []
        if not self._listening.is_ready:
            ready = first_readable([self._listening.fileno(), self._wake.fileno()], seconds)
            self._wake.take()
            if self._listening.fileno() not in ready:
                return []
        return self._read(self._listening)

    def close(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def _connect(self) -> None:
        """A connection to the socket of a stack that goes down would start another supervisor."""
        with suppress(OSError, OrchestraError):  # damaged, of another version, or just leaving: the next look finds out
            desired = load_desired(self._home)
            if desired is not None and not desired.is_down:
                self._listening = self._client.listen()

    def _read(self, listening: Listening) -> list[Event]:
        try:
            events = listening.read()
        except (OSError, OrchestraError, ValueError):
            events = None
        if events is None:
            self.close()
            return []
        return events
