"""One TCP connection of a container: messages, each after its length in two bytes (RFC 1035, RFC 7766)."""

from __future__ import annotations

from functools import partial

from orchestra.names.loop import READ, WRITE
from orchestra.names.message import LARGEST_QUESTION, QUESTION_AT

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from orchestra.names.loop import Loop

    LookUp = Callable[[bytes, Callable[[bytes], None]], bytes | None]

PIPELINED = 16
"""Questions in progress, after which no more are read."""


class Stream:
    """look_up: takes a question, and returns its answer's body or delivers it later; used: called when one came.

    Never reads beyond the current question, so that a client that sends many has one turn for each.
    """

    def __init__(
        self,
        connection: socket.socket,
        loop: Loop,
        look_up: LookUp,
        used: Callable[[Stream], None],
        closed: Callable[[Stream], None],
    ) -> None:
        self._socket, self._loop, self._look_up = connection, loop, look_up
        self._used, self._closed = used, closed
        self._question = bytearray()
        self._needs = 2
        self._answers = bytearray()
        self._in_progress = 0
        self._reads = True
        self.is_open = True
        self._events = READ
        loop.watch(connection.fileno(), self._turn)

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._closed(self)

    def _turn(self) -> None:
        try:
            if self._answers:
                self._write()
            elif self._events & READ:
                self._read()
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        self._settle()

    def _read(self) -> None:
        data = self._socket.recv(self._needs - len(self._question))
        if not data:
            self._reads = False  # but it may still wait for answers
            return
        self._question += data
        if len(self._question) < self._needs:
            return
        if self._needs == 2:
            self._needs = 2 + int.from_bytes(self._question, "big")
            if not QUESTION_AT <= self._needs - 2 <= LARGEST_QUESTION:
                self.close()
            return
        packet = bytes(self._question[2:])
        self._question.clear()
        self._needs = 2
        self._used(self)
        self._in_progress += 1
        body = self._look_up(packet, partial(self._deliver, packet[:2]))
        if body is not None:
            self._deliver(packet[:2], body)

    def _deliver(self, number: bytes, body: bytes) -> None:
        self._in_progress -= 1
        if not self.is_open:
            return
        self._answers += (len(body) + 2).to_bytes(2, "big") + number + body
        try:
            self._write()
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        self._settle()

    def _write(self) -> None:
        del self._answers[: self._socket.send(self._answers)]

    def _settle(self) -> None:
        """Wait for what can happen next; close when nothing can."""
        if not self.is_open:
            return
        if not self._reads and not self._answers and not self._in_progress:
            self.close()
            return
        events = 0
        if self._answers:
            events = WRITE
        elif self._reads and self._in_progress < PIPELINED:
            events = READ
        if events != self._events:
            self._events = events
            self._loop.change(self._socket.fileno(), events)
