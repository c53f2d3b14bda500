"""One container as a client: its sockets, what it may ask, and its own bounds, so that it can harm no other."""

from __future__ import annotations

import time
from functools import partial

from orchestra.named_tuple import NamedTuple
from orchestra.names.answer import answer
from orchestra.names.cache import Cache
from orchestra.names.loop import Loop
from orchestra.names.message import (
    LARGEST,
    LARGEST_QUESTION,
    QUESTION_AT,
    Malformed,
    Rcode,
    empty_reply,
    read_query,
    refusal,
)
from orchestra.names.stream import Stream
from orchestra.names.zone import Zone

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from orchestra.names.answer import Answer
    from orchestra.names.files import Files
    from orchestra.names.forwarder import Forwarder
    from orchestra.names.message import Query
    from orchestra.names.shares import Shares
    from orchestra.names.zone import View

    Deliver = Callable[[bytes], None]

REMEMBERED_BYTES = 128 << 10
"""Of questions and their answers, for one container."""
OPTION = 11
"""Bytes of an OPT record without options."""


class Sockets(NamedTuple):
    """The two sockets in one container's namespace, not blocking."""

    udp: socket.socket
    tcp: socket.socket

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


class Common(NamedTuple):
    """What all containers share. places: for questions to other servers; connections: the same for those over TCP.

    used and closed: called when a connection is.
    """

    loop: Loop
    files: Files
    forwarder: Forwarder
    places: Shares
    connections: Shares
    used: Callable[[Stream], None]
    closed: Callable[[Stream], None]


class Client:
    """directory: the container's; namespace: its path, for the next supervisor."""

    def __init__(self, directory: str, namespace: str, sockets: Sockets, common: Common) -> None:
        self.directory, self.namespace, self.sockets = directory, namespace, sockets
        self._common = common
        self._receive, self._send = sockets.udp.recvfrom, sockets.udp.sendto
        self._answers: dict[bytes, Answer] = {}
        self._answers_bytes = 0
        self._seen: tuple[View, Zone] | None = None
        self._replies = Cache()
        self._streams = Loop()
        self._connections: dict[Stream, None] = {}
        self._streams.watch(sockets.tcp.fileno(), self._accept)
        common.loop.watch(sockets.udp.fileno(), self._answer_datagram)
        # One for all connections: the container has two turns, however many it makes.
        common.loop.watch(self._streams.fileno(), partial(self._streams.turn, 0, 1))

    def close(self) -> None:
        for stream in list(self._connections):
            stream.close()
        self._common.loop.forget(self.sockets.udp.fileno())
        self._common.loop.forget(self._streams.fileno())
        self._streams.close()
        self.sockets.close()

    def forget_answers(self) -> None:
        """Names have changed."""
        self._answers.clear()
        self._answers_bytes = 0
        self._seen = None

    def forget_replies(self) -> None:
        """Other servers are to be asked now."""
        self._replies.clear()

    def _answer_datagram(self) -> None:
        try:
            packet, client = self._receive(LARGEST_QUESTION)
            known = self._answers.get(packet[2:])
            if known is not None:
                self._send(packet[:2] + known.body(), client)
                return
            body = self._look_up(packet, partial(self._deliver, packet[:2], client), over_tcp=False)
            if body is not None:
                self._send(packet[:2] + body, client)
        except OSError:
            return  # nothing to read, or the client is gone, or its buffer is full: it asks again

    def _deliver(self, number: bytes, client: tuple[str, int], body: bytes) -> None:
        try:
            self._send(number + body, client)
        except OSError:
            return

    def _accept(self) -> None:
        try:
            connection, _ = self.sockets.tcp.accept()
        except OSError:
            return  # the client has given up meanwhile (accept(2))
        connection.setblocking(False)
        while not self._common.connections.take(self.directory):
            if not self._connections:
                connection.close()  # all places are taken by others
                return
            next(iter(self._connections)).close()  # the one that has been silent longest
        look_up = partial(self._look_up, over_tcp=True)
        stream = Stream(connection, self._streams, look_up, self._note_use, self._note_end)
        self._note_use(stream)

    def _note_use(self, stream: Stream) -> None:
        self._connections.pop(stream, None)
        self._connections[stream] = None  # at the end
        self._common.used(stream)

    def _note_end(self, stream: Stream) -> None:
        self._connections.pop(stream, None)
        self._common.connections.give_back(self.directory)
        self._common.closed(stream)

    def _look_up(self, packet: bytes, deliver: Deliver, *, over_tcp: bool) -> bytes | None:
        """The body of the reply, unless ``deliver`` gets it later, or there is none."""
        try:
            query = read_query(packet)
        except Malformed as error:
            return refusal(packet, error.code)
        if query is None:
            return None
        seen = self._see()
        if seen is None:
            return empty_reply(query, Rcode.SERVFAIL, ours=False)
        view, zone = seen
        made = answer(zone, query, forwards=view.forwards, largest=(LARGEST if over_tcp else query.largest_reply) - 2)
        if made is None:
            return self._pass_on(packet, query, view.servers, deliver, over_tcp=over_tcp)
        if not over_tcp and self._common.files.all_watched:
            self._remember(packet[2:], made)
        return made.body()

    def _see(self) -> tuple[View, Zone] | None:
        """What the container may ask, and the names that it finds; None if it is not attached."""
        files = self._common.files
        if self._seen is None or not files.all_watched:
            view = files.view(self.directory)
            if view is None:
                return None
            self._seen = (view, Zone(view, files.directory(view.networks), files.standing))
        return self._seen

    def _remember(self, question: bytes, made: Answer) -> None:
        self._answers_bytes += len(question) + len(made)
        if self._answers_bytes > REMEMBERED_BYTES:
            self._answers.clear()
            self._answers_bytes = len(question) + len(made)
        self._answers[question] = made

    def _pass_on(
        self, packet: bytes, query: Query, servers: tuple[str, ...], deliver: Deliver, *, over_tcp: bool
    ) -> bytes | None:
        common = self._common
        servers = servers or common.files.host_servers()
        rest = packet[QUESTION_AT + len(query.question) :]
        # Anything else in a query, such as a cookie or a signature, makes its reply one of a kind.
        key = (
            (query.flags, query.name, query.question[-4:], rest, servers, over_tcp)
            if len(rest) == (OPTION if query.extension else 0)
            else None
        )
        known = self._replies.get(key, query.question, time.monotonic()) if key else None
        if known is not None:
            return known
        failure = empty_reply(query, Rcode.SERVFAIL, ours=False)
        if not common.places.take(self.directory):
            # Like a packet to a busy server: over UDP the client asks again.
            return failure if over_tcp else None

        def arrived(reply: bytes | None) -> None:
            common.places.give_back(self.directory)
            if reply is not None and key is not None:
                self._replies.put(key, reply, time.monotonic())
            deliver(failure if reply is None else reply[2:])

        common.forwarder.ask(self.directory, servers, packet, query.question, arrived, over_tcp=over_tcp)
        return None
