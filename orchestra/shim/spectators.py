"""Those who are attached to a container: shown all that it writes, and heard as its standard input.

One that reads slowly holds the container back, as a pipe does: what it has not been shown yet is one chunk at most.
"""

from __future__ import annotations

import contextlib
import selectors
import socket

from orchestra.shim import stack_log
from orchestra.shim.frames import END, INPUT, Frames, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 1 << 16
SEND_BUFFER = 1 << 17
LAST_BUFFER = 1 << 22
"""Bytes that the kernel keeps for a client: while the container runs, and of its last words, for whenever it reads."""

SO_SNDBUFFORCE = 32
"""socket(7); Python has no name for it."""


class Spectator:
    """ends_input: the container's standard input ends with this client's."""

    def __init__(self, connection: socket.socket, *, ends_input: bool) -> None:
        self.connection = connection
        self.ends_input = ends_input
        self.frames = Frames()
        self.waiting = bytearray()
        self.watched = 0


class Spectators:
    """give: takes input for the container; end_input: is called when no more will come of a client that it ends with.

    keep_pace: called with whether more may be shown, whenever that changes.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        give: Callable[[bytes], None],
        end_input: Callable[[], None],
        keep_pace: Callable[[bool], None],
    ) -> None:
        self._selector = selector
        self._give = give
        self._end_input = end_input
        self._keep_pace = keep_pace
        self._hears = True
        self._all: list[Spectator] = []

    def add(self, connection: socket.socket, *, ends_input: bool) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        spectator = Spectator(connection, ends_input=ends_input)
        self._all.append(spectator)
        self._watch(spectator)

    @property
    def is_behind(self) -> bool:
        return any(spectator.waiting for spectator in self._all)

    def show(self, number: int, data: bytes) -> None:
        """Of the stream with this number."""
        if not self._all:
            return
        shown = frame(number, data)
        was_behind = self.is_behind
        for spectator in list(self._all):
            spectator.waiting += shown
            self._flush(spectator)
        if self.is_behind and not was_behind:
            self._keep_pace(False)

    def hear(self, hears: bool) -> None:
        """Whether there is room for input; else who has some waits."""
        self._hears = hears
        for spectator in self._all:
            self._watch(spectator)

    def conclude(self, exit_code: int | None) -> None:
        """Say how the run has ended. What the kernel takes now is delivered, however late it is read."""
        last = frame(END, b"" if exit_code is None else str(exit_code).encode())
        for spectator in list(self._all):
            spectator.waiting += last
            try:
                spectator.connection.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, LAST_BUFFER)
            except PermissionError:
                spectator.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LAST_BUFFER)
            self._flush(spectator)
            if spectator.waiting:
                stack_log.write(f"{len(spectator.waiting)} bytes are lost for a client that does not read")

    def close(self) -> None:
        for spectator in self._all:
            spectator.connection.close()
        self._all.clear()

    def _turn(self, spectator: Spectator) -> None:
        if spectator.waiting:
            self._flush(spectator)
            if not self.is_behind:
                self._keep_pace(True)
        if spectator in self._all and self._hears:
            self._read(spectator)

    def _flush(self, spectator: Spectator) -> None:
        try:
            while spectator.waiting:
                del spectator.waiting[: spectator.connection.send(spectator.waiting)]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(spectator)
            return
        self._watch(spectator)

    def _read(self, spectator: Spectator) -> None:
        try:
            data = spectator.connection.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            for number, content in spectator.frames.take(data):
                if number == INPUT and content:
                    self._give(content)
                elif number == INPUT and spectator.ends_input:
                    self._end_input()
        except ValueError:
            data = b""
        if not data:
            self._drop(spectator)

    def _watch(self, spectator: Spectator) -> None:
        """For what can be done now."""
        wanted = selectors.EVENT_READ if self._hears else 0
        wanted |= selectors.EVENT_WRITE if spectator.waiting else 0
        if wanted == spectator.watched:
            return
        if not spectator.watched:
            self._selector.register(spectator.connection, wanted, lambda: self._turn(spectator))
        elif wanted:
            self._selector.modify(spectator.connection, wanted, lambda: self._turn(spectator))
        else:
            self._selector.unregister(spectator.connection)
        spectator.watched = wanted

    def _drop(self, spectator: Spectator) -> None:
        held_back = bool(spectator.waiting)
        self._all.remove(spectator)
        with contextlib.suppress(KeyError):
            self._selector.unregister(spectator.connection)
        spectator.connection.close()
        if spectator.ends_input:
            self._end_input()
        if held_back and not self.is_behind:
            self._keep_pace(True)
