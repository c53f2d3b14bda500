"""One request and its answer on a connection: read whole or as a stream, answered whole, in chunks, or on the bare
socket. Only ``h11`` knows HTTP here.
"""

from __future__ import annotations

import contextlib
import io
import json
import select
import socket
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import h11

from orchestra import __version__
from orchestra.engine_api.errors import ApiError, Hangup, bad_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from _typeshed import WriteableBuffer

CHUNK = 1 << 16
LONGEST_BODY = 16 << 20
"""Bytes of a JSON document."""
LONGEST_HEAD = 64 << 10
LONGEST_REST = 1 << 20
"""Bytes of a body that are read away; a longer one ends the connection."""
JSON_TYPE = "application/json"
RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
TAR = "application/x-tar"
FALSE = frozenset(("", "0", "no", "false", "none"))
"""Docker's words for false in a query; everything else is true."""
NEWEST, OLDEST = (1, 47), (1, 24)
"""Versions of the API."""
HEADERS = (
    ("Api-Version", "1.47"),
    ("Docker-Experimental", "false"),
    ("Ostype", "linux"),
    ("Server", f"Orchestra/{__version__} (linux)"),
)
"""Of every answer."""


class Request(NamedTuple):
    """path: without the version, decoded. query: the last value of each key; queries: all of them."""

    method: str
    path: str
    query: Mapping[str, str]
    queries: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    version: tuple[int, int]

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.query.get(name)
        return default if value is None else value.strip().lower() not in FALSE

    def number(self, name: str) -> int | None:
        """Raises ApiError for other text."""
        value = self.query.get(name, "")
        if not value:
            return None
        try:
            return int(value)
        except ValueError:
            raise bad_request(f"{name}: {value!r} is not a number") from None


class Connection:
    """A client. Everything raises ``Hangup`` once it is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
        self.is_raw = False
        self._answers_head = False

    def next_head(self) -> h11.Request | None:
        """None when the client sends no more requests. Raises h11.RemoteProtocolError for what is not HTTP."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        if self._http.our_state is not h11.IDLE or self.is_raw:
            return None
        event = self._next()
        if not isinstance(event, h11.Request):
            return None
        self._answers_head = event.method == b"HEAD"
        return event

    def body(self) -> Iterator[bytes]:
        """What has not been read of it."""
        while self._http.their_state is h11.SEND_BODY:
            if self._http.they_are_waiting_for_100_continue:
                self.send(h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[]))
            event = self._next()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise Hangup

    @property
    def has_answered(self) -> bool:
        return self.is_raw or self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE)

    def rest_is_read(self) -> bool:
        """Whether another request may follow: what a handler has left of a short body is read away.

        So a client that is refused gets to read why.
        """
        if self.is_raw or self._http.our_state is h11.SEND_BODY:
            return False
        left = LONGEST_REST
        for part in self.body():
            left -= len(part)
            if left < 0:
                return False
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def refuse(self, status: HTTPStatus, message: str) -> None:
        """An error, and the end of the connection unless the request has been read."""
        body = render({"message": message}) + b"\n"
        headers = [*HEADERS, ("Content-Type", JSON_TYPE), ("Content-Length", str(len(body)))]
        self.send(h11.Response(status_code=status, headers=headers, reason=status.phrase))
        if not self._answers_head:
            self.send(h11.Data(data=body))
        self.send(h11.EndOfMessage())

    def hang_up(self) -> None:
        """End whatever a thread waits for on this connection."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.socket.close()

    def send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self.write(data)

    def take_over(self) -> bytes:
        """What the client has sent after its request, before the socket is the caller's."""
        self.is_raw = True
        return self._http.trailing_data[0]

    def write(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Hangup from error

    @property
    def is_gone(self) -> bool:
        """Whether the client has closed the connection; only then is it readable while an answer is under way."""
        try:
            return self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    @property
    def has_hung_up(self) -> bool:
        """Whether the client has closed both directions: one that only says nothing more still listens."""
        poll = select.poll()
        poll.register(self.socket, 0)
        return bool(poll.poll(0))

    def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            try:
                data = self.socket.recv(CHUNK)
            except OSError as error:
                raise Hangup from error
            self._http.receive_data(data)


class _Body(io.RawIOBase):
    """The body of a request as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._rest = parts, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        size = min(len(view), len(self._rest))
        view[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


class Writer:
    """The body of an answer in chunks. Not for more than one thread at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def fileno(self) -> int:
        """Readable when the client has hung up."""
        return self._connection.socket.fileno()

    @property
    def is_gone(self) -> bool:
        return self._connection.is_gone

    def write(self, data: bytes, /) -> int:
        if data:
            self._connection.send(h11.Data(data=data))
        return len(data)

    def document(self, value: Any) -> None:
        """One of a stream of JSON documents."""
        self.write(render(value) + b"\r\n")


class Exchange:
    """parameters: the parts of the path that its pattern names."""

    def __init__(self, connection: Connection, request: Request, parameters: Mapping[str, str]) -> None:
        self.connection = connection
        self.request = request
        self.parameters = parameters

    def document(self) -> dict[str, Any]:
        """The JSON object in the body; an empty one without a body. Raises ApiError."""
        data = bytearray()
        for part in self.connection.body():
            data += part
            if len(data) > LONGEST_BODY:
                raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request body is too large")
        if not data.strip():
            return {}
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise bad_request(f"the request body is not JSON: {error}") from error
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise bad_request("the request body is not a JSON object")
        return found

    def archive(self) -> io.BufferedReader:
        return io.BufferedReader(_Body(self.connection.body()), CHUNK)

    def answer(self, value: Any, status: HTTPStatus = HTTPStatus.OK, headers: Sequence[tuple[str, str]] = ()) -> None:
        self._whole(render(value) + b"\n", JSON_TYPE, status, headers)

    def text(self, text: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        self._whole(text.encode(), "text/plain; charset=utf-8", HTTPStatus.OK, headers)

    def empty(self, status: HTTPStatus = HTTPStatus.NO_CONTENT, headers: Sequence[tuple[str, str]] = ()) -> None:
        self._begin(status, headers)
        self._end()

    def _whole(self, body: bytes, kind: str, status: HTTPStatus, headers: Sequence[tuple[str, str]]) -> None:
        self._begin(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *headers])
        if self.request.method != "HEAD":
            self.connection.send(h11.Data(data=body))
        self._end()

    @contextmanager
    def stream(self, kind: str = JSON_TYPE, headers: Sequence[tuple[str, str]] = ()) -> Iterator[Writer]:
        """The head is sent at once: clients wait for it before they do anything else."""
        self._begin(HTTPStatus.OK, [("Content-Type", kind), *headers])
        yield Writer(self.connection)
        self._end()

    def hijack(self, kind: str) -> bytes:
        """Answer that the connection is a plain stream from now on, and return what of that has come already.

        A client that asks for an upgrade is told so; an older one gets an answer that ends with the connection.
        """
        if "upgrade" in self.request.headers:
            head = "HTTP/1.1 101 UPGRADED\r\nContent-Type: {}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        else:
            head = "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nConnection: close\r\n\r\n"
        return self.switch(head.format(kind).encode())

    def switch(self, head: bytes) -> bytes:
        """Answer with this head, after which the connection is not HTTP any more. Return what has come behind."""
        for _ in self.connection.body():
            continue
        rest = self.connection.take_over()
        self.connection.write(head)
        return rest

    def _begin(self, status: HTTPStatus, headers: Sequence[tuple[str, str]]) -> None:
        self.connection.send(h11.Response(status_code=status, headers=[*HEADERS, *headers], reason=status.phrase))

    def _end(self) -> None:
        self.connection.send(h11.EndOfMessage())


def render(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")


def wait_readable(*sources: Any, seconds: float | None = None) -> set[int]:
    """The descriptors of those that are readable or hung up; none when the time is up."""
    poll = select.poll()
    for source in sources:
        poll.register(source, select.POLLIN | select.POLLRDHUP)
    return {fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)}
