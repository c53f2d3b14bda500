"""Relays of TCP: bytes go from socket to socket through a pipe, without being copied into this process (splice(2))."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
from errno import EINPROGRESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.rootless.relays import Loop

BACKLOG = 4096
AT_ONCE = 1 << 20
"""Bytes that one direction moves before others have their turn."""
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_pipes: list[tuple[int, int]] = []
"""Empty ones. A direction has one only while bytes are on their way."""
IDLE_PIPES = 16


class Streams:
    """What a listening socket of the host accepts, each connection led to the next of the targets."""

    def __init__(self, loop: Loop, bound: socket.socket, targets: Sequence[tuple[str, int]]) -> None:
        self.socket, self.targets = bound, targets
        self._loop, self._turn = loop, 0
        # Else listen(2) fails while ended connections linger on the port. It is inherited by what is accepted, whose
        # ended connections would keep the port from being bound again.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.listen(BACKLOG)
        bound.setblocking(False)
        loop.watch(bound.fileno(), READ, self._accept)

    def forget_silent(self, now: float) -> None:
        """Connections may be silent for as long as they like."""

    def close(self) -> None:
        """Accept no more; connections go on until a side ends them."""
        self._loop.watch(self.socket.fileno(), 0, self._accept)
        self.socket.close()

    def _accept(self, _events: int) -> None:
        for _ in range(64):
            try:
                client, _address = self.socket.accept()
            except OSError:  # no more, or it was given up while it waited
                return
            if not self.targets:
                client.close()
                continue
            self._turn += 1
            Connection(self._loop, client, self.targets[self._turn % len(self.targets)])


class Connection:
    def __init__(self, loop: Loop, client: socket.socket, target: tuple[str, int]) -> None:
        self._loop = loop
        family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
        server = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        client.setblocking(False)
        self._sides = client, server
        self._ways = Way(client, server), Way(server, client)
        for side in self._sides:
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watched = [-1, -1]
        if server.connect_ex(target) in (0, EINPROGRESS):
            loop.watch(server.fileno(), WRITE, self._connected)
        else:
            self._refuse()

    def _connected(self, _events: int) -> None:
        if self._sides[1].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._refuse()
        else:
            self._go_on(0)

    def _refuse(self) -> None:
        """As a port without a server: the client is reset instead of seeing an orderly end."""
        self._sides[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._close()

    def _go_on(self, _events: int) -> None:
        try:
            for way in self._ways:
                way.move()
        except OSError:
            self._close()
            return
        if all(way.is_over for way in self._ways):
            self._close()
            return
        there, back = self._ways
        for number, (reading, writing) in enumerate(((there, back), (back, there))):
            events = (READ if reading.wants_to_read else 0) | (WRITE if writing.wants_to_write else 0)
            if events != self._watched[number]:
                self._watched[number] = events
                self._loop.watch(self._sides[number].fileno(), events, self._go_on)

    def _close(self) -> None:
        for way in self._ways:
            way.drop()
        for side in self._sides:
            self._loop.watch(side.fileno(), 0, self._go_on)
            side.close()


class Way:
    """One direction. It reads only while nothing that it has read before waits to be written."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self._source, self._sink = source, sink
        self._pipe: tuple[int, int] | None = None
        self._waiting = 0
        self._ended = self.is_over = False

    @property
    def wants_to_read(self) -> bool:
        return not self._ended and not self._waiting

    @property
    def wants_to_write(self) -> bool:
        return bool(self._waiting)

    def move(self) -> None:
        """As much as both sides allow, within limits. Raises OSError if one of them is broken."""
        moved = 0
        with contextlib.suppress(BlockingIOError):
            while not self.is_over and moved < AT_ONCE:
                if self._waiting:
                    assert self._pipe is not None
                    written = os.splice(self._pipe[0], self._sink.fileno(), self._waiting, flags=os.SPLICE_F_NONBLOCK)
                    self._waiting -= written
                    moved += written
                elif self._ended:
                    self._sink.shutdown(socket.SHUT_WR)
                    self.is_over = True
                else:
                    if self._pipe is None:
                        self._pipe = _pipes.pop() if _pipes else os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
                    fd = self._source.fileno()
                    self._waiting = os.splice(fd, self._pipe[1], AT_ONCE, flags=os.SPLICE_F_NONBLOCK)
                    self._ended = not self._waiting
        if not self._waiting:
            self._give_back()

    def drop(self) -> None:
        """Give up what is on its way."""
        if self._waiting and self._pipe is not None:
            for fd in self._pipe:
                os.close(fd)
            self._pipe = None
        self._give_back()

    def _give_back(self) -> None:
        if self._pipe is None:
            return
        if len(_pipes) < IDLE_PIPES:
            _pipes.append(self._pipe)
        else:
            for fd in self._pipe:
                os.close(fd)
        self._pipe = None
