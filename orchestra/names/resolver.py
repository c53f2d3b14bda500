"""The resolver's loop: containers' questions, news of files, other servers' replies and the supervisor's orders.

The supervisor listens inside each container's network namespace at the resolver's address, and hands the sockets on
over ``names.sock``, a socket of kind SOCK_SEQPACKET. Every message is a JSON object:

- ``{"op": "serve", "directory", "namespace"}`` with two sockets, UDP and TCP: a container's, from now on;
- ``{"op": "leave", "directory"}``: close them;
- to a supervisor that connects: ``serve`` for each container, as it was ordered before, then ``{"op": "ready"}``.

Between supervisors it serves on. It ends when there is no supervisor and none of its containers is attached any more,
or when its socket has been removed or replaced.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections import deque

from orchestra.container import open_files
from orchestra.linux import unix_socket
from orchestra.linux.inotify import IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO, Inotify
from orchestra.names.client import Client, Common, Sockets
from orchestra.names.forwarder import PORT, Forwarder
from orchestra.names.loop import READ, WRITE, Loop
from orchestra.names.shares import Shares

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.names.files import Files
    from orchestra.names.stream import Stream

IDLE = 10.0
"""Seconds that a client over TCP has to send a whole question, and to take the answers."""
# Questions to other servers in progress: for one container, and for all together.
QUESTIONS_MAX = 64
QUESTIONS_TOTAL = 512
# Connections over TCP: one more closes the one of the container that has been silent longest.
CONNECTIONS_MAX = 32
CONNECTIONS_TOTAL = open_files.MOST // 4
ORDER_MAX = 1 << 16
"""Bytes of a message of the supervisor."""


class Resolver:
    """path: of the listener. files: opened before all sockets of containers, see ``Loop.turn``."""

    def __init__(self, listener: socket.socket, path: str, files: Files, upstream_port: int = PORT) -> None:
        self._listener, self._path = listener, path
        self._files = files
        self._loop = Loop()
        self._clients: dict[str, Client] = {}
        self._streams: dict[Stream, float] = {}  # when each was used last, the oldest first
        self._forwarder = Forwarder(self._loop, upstream_port)
        self._common = Common(
            loop=self._loop,
            files=files,
            forwarder=self._forwarder,
            places=Shares(QUESTIONS_TOTAL, QUESTIONS_MAX),
            connections=Shares(CONNECTIONS_TOTAL, CONNECTIONS_MAX),
            used=self._note_use,
            closed=self._note_end,
        )
        self._supervisor: socket.socket | None = None
        self._reports: deque[Client | None] = deque()
        self._over = False
        self._place = Inotify()
        self._own = os.stat(path).st_ino
        self._place.add(os.path.dirname(path), IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
        listener.setblocking(False)
        self._loop.watch(files.fileno(), self._hear_news)
        self._loop.watch(listener.fileno(), self._accept)
        self._loop.watch(self._place.fileno(), self._check_place)

    def run(self) -> None:
        """Until it is not needed any more."""
        while not self._over:
            if self._streams or self._forwarder.next_end is not None:
                self._loop.turn(self._give_up_old())
            else:
                self._loop.turn()

    def _give_up_old(self) -> float:
        """End what has waited too long. Returns the seconds until there may be more of that."""
        now = time.monotonic()
        self._forwarder.give_up_old(now)
        while self._streams and (oldest := next(iter(self._streams.items())))[1] + IDLE <= now:
            oldest[0].close()
        ends = [self._forwarder.next_end, *(used + IDLE for used in list(self._streams.values())[:1])]
        return min((max(0.0, end - now) for end in ends if end is not None), default=IDLE)

    def _note_use(self, stream: Stream) -> None:
        self._streams.pop(stream, None)
        self._streams[stream] = time.monotonic()

    def _note_end(self, stream: Stream) -> None:
        self._streams.pop(stream, None)

    # Files

    def _hear_news(self) -> None:
        changes = self._files.read_changes()
        for client in self._clients.values():
            if changes.names:
                client.forget_answers()
            if changes.servers:
                client.forget_replies()
        self._end_if_useless()

    def _end_if_useless(self) -> None:
        if self._supervisor is None and not any(map(self._files.view, self._clients)):
            self._over = True

    def _check_place(self) -> None:
        self._place.read()
        self._over = self._over or not self._is_in_place()

    def _is_in_place(self) -> bool:
        try:
            return os.stat(self._path).st_ino == self._own
        except OSError:
            return False

    # The supervisor

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        self._hang_up()  # there is one supervisor at a time: the other one has ended
        self._supervisor = connection
        self._reports.extend([*self._clients.values(), None])
        self._loop.watch(connection.fileno(), self._attend, READ | WRITE)

    def _attend(self) -> None:
        connection = self._supervisor
        if connection is None:
            return
        try:
            while self._reports:
                self._report(connection, self._reports[0])
                self._reports.popleft()
                if not self._reports:
                    self._loop.change(connection.fileno(), READ)
        except BlockingIOError:
            pass
        except OSError:
            self._reports.clear()
        try:
            data, fds = unix_socket.receive(connection, ORDER_MAX)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if data:
            self._obey(json.loads(data), fds)
        else:
            self._hang_up()
            self._end_if_useless()

    def _report(self, connection: socket.socket, client: Client | None) -> None:
        if client is None:
            unix_socket.send(connection, b'{"op":"ready"}')
        elif self._clients.get(client.directory) is client:
            order = {"op": "serve", "directory": client.directory, "namespace": client.namespace}
            unix_socket.send(connection, json.dumps(order).encode(), [part.fileno() for part in client.sockets])

    def _obey(self, order: dict[str, str], fds: list[int]) -> None:
        directory = order["directory"]
        former = self._clients.pop(directory, None)
        if former is not None:
            former.close()
        if order["op"] == "serve":
            udp, tcp = (socket.socket(fileno=fd) for fd in fds)
            self._clients[directory] = Client(directory, order["namespace"], Sockets(udp, tcp), self._common)

    def _hang_up(self) -> None:
        self._reports.clear()
        if self._supervisor is not None:
            self._loop.forget(self._supervisor.fileno())
            self._supervisor.close()
            self._supervisor = None
