"""Questions to other name servers, from the process's own network namespace, with the container's own bytes.

Only the ID is replaced. Each question has a socket of its own: a random port, a random ID, the connection and the
repeated question keep out replies of strangers (RFC 5452). Equal questions of a container share one (section 5 there).
"""

from __future__ import annotations

import os
import socket
import time
from errno import EINPROGRESS
from functools import partial

from orchestra.names.loop import READ, WRITE
from orchestra.names.message import LARGEST, Rcode, code_of, is_reply_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from orchestra.names.loop import Loop

    Deliver = Callable[[bytes | None], None]

TIMEOUT = 1.5
"""Seconds to wait for one server."""
TOTAL = 4.5
"""Seconds after which no other is asked: a client waits for 5."""
ROUNDS = 2
DEAD_SECONDS = 30.0
"""How long a server that has not answered is asked only after the others."""
DEAD_MOST = 256
STRANGERS_MOST = 32
"""Replies to something else, after which a server is given up."""
PORT = 53
NO_HELP = (Rcode.SERVFAIL, Rcode.NOTIMP, Rcode.REFUSED)
"""The next server may do better."""


class _Question:
    """rest: the servers to ask next; useless: those that need not be asked again; failed: the best reply so far.

    deliver: of everyone who waits; number: the ID with which server is asked; strangers: replies to something else.
    """

    __slots__ = (
        "began",
        "buffer",
        "deliver",
        "ends",
        "failed",
        "key",
        "number",
        "over_tcp",
        "packet",
        "question",
        "rest",
        "server",
        "socket",
        "strangers",
        "useless",
    )

    def __init__(
        self, key: Hashable, packet: bytes, question: bytes, servers: Iterator[str], now: float, *, over_tcp: bool
    ) -> None:
        self.key, self.packet, self.question, self.rest, self.over_tcp = key, packet, question, servers, over_tcp
        self.began, self.ends = now, now
        self.deliver: list[Deliver] = []
        self.failed: bytes | None = None
        self.useless: set[str] = set()
        self.server, self.number, self.strangers = "", b"", 0
        self.socket: socket.socket | None = None
        self.buffer = bytearray()


class Forwarder:
    """clock: seconds that only go forward. port: of all servers."""

    def __init__(self, loop: Loop, port: int = PORT, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop, self._port, self._clock = loop, port, clock
        self._questions: dict[Hashable, _Question] = {}
        self._dead: dict[str, float] = {}  # until when
        self._waiting: dict[_Question, None] = {}  # in the order of their ends, as all wait equally long

    def ask(
        self, owner: str, servers: tuple[str, ...], packet: bytes, question: bytes, deliver: Deliver, *, over_tcp: bool
    ) -> None:
        """Call ``deliver`` with the reply of the first server that has a useful one, or None. question: the packet's.

        What fails at once is delivered before this returns.
        """
        key = (owner, over_tcp, servers, packet[2:])
        asked = self._questions.get(key)
        if asked is not None:
            asked.deliver.append(deliver)
            return
        now = self._clock()
        in_turn = sorted(servers, key=lambda server: self._dead.get(server, 0.0) > now)
        asked = _Question(key, packet, question, iter(in_turn * ROUNDS), now, over_tcp=over_tcp)
        asked.deliver.append(deliver)
        self._questions[key] = asked
        self._ask_next(asked)

    @property
    def next_end(self) -> float | None:
        """When a question has waited long enough, by the clock."""
        return next(iter(self._waiting)).ends if self._waiting else None

    def give_up_old(self, now: float) -> None:
        while self._waiting and (asked := next(iter(self._waiting))).ends <= now:
            self._note_dead(asked.server)
            self._ask_next(asked)

    def _ask_next(self, asked: _Question) -> None:
        self._hang_up(asked)
        now = self._clock()
        for server in asked.rest:
            if server in asked.useless or now - asked.began > TOTAL:
                continue
            try:
                self._send(asked, server)
            except OSError:
                # Not an address, refused or unreachable.
                asked.useless.add(server)
                self._note_dead(server)
                continue
            asked.ends = now + TIMEOUT
            self._waiting[asked] = None
            return
        self._finish(asked, asked.failed)

    def _send(self, asked: _Question, server: str) -> None:
        kind = socket.SOCK_STREAM if asked.over_tcp else socket.SOCK_DGRAM
        # As bytes: for text, Python imports a codec from files, which this process may not read.
        found = socket.getaddrinfo(server.encode(), self._port, type=kind, flags=socket.AI_NUMERICHOST)
        family, _, _, _, address = found[0]
        connection = socket.socket(family, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        asked.server, asked.strangers, asked.number = server, 0, os.urandom(2)
        message = asked.number + asked.packet[2:]
        try:
            number = connection.connect_ex(address)
            if number not in (0, EINPROGRESS):
                raise OSError(number, os.strerror(number))
            if asked.over_tcp:
                asked.buffer = bytearray(len(message).to_bytes(2, "big") + message)
                self._loop.watch(connection.fileno(), partial(self._write, asked, connection), WRITE)
            else:
                connection.send(message)
                self._loop.watch(connection.fileno(), partial(self._receive, asked, connection))
        except OSError:
            connection.close()
            raise
        asked.socket = connection

    def _receive(self, asked: _Question, connection: socket.socket) -> None:
        try:
            packet = connection.recv(LARGEST)
        except BlockingIOError:
            return
        except OSError:
            self._fail(asked)
            return
        self._judge(asked, packet)

    def _write(self, asked: _Question, connection: socket.socket) -> None:
        try:
            del asked.buffer[: connection.send(asked.buffer)]
        except BlockingIOError:
            return
        except OSError:
            self._fail(asked)
            return
        if not asked.buffer:
            self._loop.forget(connection.fileno())
            self._loop.watch(connection.fileno(), partial(self._read, asked, connection), READ)

    def _read(self, asked: _Question, connection: socket.socket) -> None:
        try:
            data = connection.recv(LARGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        asked.buffer += data
        if not data:
            self._fail(asked)
        elif len(asked.buffer) >= 2 and len(asked.buffer) >= 2 + (length := int.from_bytes(asked.buffer[:2], "big")):
            self._judge(asked, bytes(asked.buffer[2 : 2 + length]))

    def _judge(self, asked: _Question, packet: bytes) -> None:
        if packet[:2] != asked.number or not is_reply_to(asked.question, packet):
            asked.strangers += 1
            if asked.over_tcp or asked.strangers > STRANGERS_MOST:
                self._fail(asked)
            return
        self._dead.pop(asked.server, None)
        if code_of(packet) in NO_HELP:
            asked.failed = asked.failed or packet
            asked.useless.add(asked.server)
            self._ask_next(asked)
        else:
            self._finish(asked, packet)

    def _fail(self, asked: _Question) -> None:
        asked.useless.add(asked.server)
        self._note_dead(asked.server)
        self._ask_next(asked)

    def _finish(self, asked: _Question, packet: bytes | None) -> None:
        self._hang_up(asked)
        del self._questions[asked.key]
        for deliver in asked.deliver:
            deliver(packet)

    def _hang_up(self, asked: _Question) -> None:
        self._waiting.pop(asked, None)
        if asked.socket is not None:
            self._loop.forget(asked.socket.fileno())
            asked.socket.close()
            asked.socket = None

    def _note_dead(self, server: str) -> None:
        now = self._clock()
        if len(self._dead) >= DEAD_MOST:
            self._dead = {known: until for known, until in self._dead.items() if until > now}
        self._dead[server] = now + DEAD_SECONDS
