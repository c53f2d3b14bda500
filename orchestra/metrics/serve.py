"""``GET /metrics`` on a socket, until told to end. Each client has a thread for one request, and little time for it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, NamedTuple

from orchestra import __version__
from orchestra.errors import OrchestraError
from orchestra.linux.readiness import first_readable
from orchestra.metrics.collect import collect
from orchestra.metrics.exposition import choose_format, render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.metrics.exposition import Format, Sample
    from orchestra.metrics.table import Metric
    from orchestra.stacks.measure import Measuring

PATH = "/metrics"
PLAIN = "text/plain; charset=utf-8"
AT_ONCE = 32
"""Connections; further ones wait in the kernel."""
LIMIT = 10.0
"""Seconds that a connection may last, whatever the client does."""
LOOK_AGAIN = 1.0
"""Seconds between two looks at connections that last too long."""


class Metrics:
    """Reads stacks for one caller after another."""

    def __init__(self, measuring: Measuring) -> None:
        self._measuring = measuring
        self._lock = threading.Lock()

    def collect(self) -> Mapping[Metric, Sequence[Sample]]:
        """Raises OrchestraError."""
        with self._lock:
            before = time.process_time()
            stacks = self._measuring.read()
            return collect(stacks, time.process_time() - before)

    def text(self, format: Format) -> bytes:
        """Raises OrchestraError."""
        return render(self.collect(), format)


class _Client(NamedTuple):
    connection: socket.socket
    deadline: float


class Server:
    def __init__(self, metrics: Metrics, listeners: Sequence[socket.socket]) -> None:
        self.metrics = metrics
        self._listeners = listeners
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._clients: dict[int, _Client] = {}

    def serve(self, stop: int) -> None:
        """Return when ``stop``, a descriptor, is readable."""
        for listener in self._listeners:
            listener.setblocking(False)
        while True:
            ready = first_readable([*(listener.fileno() for listener in self._listeners), stop], LOOK_AGAIN)
            if stop in ready:
                break
            self._hang_up(time.monotonic())
            for listener in self._listeners:
                if listener.fileno() in ready:
                    self._accept(listener)
        self._hang_up(float("inf"))

    def _accept(self, listener: socket.socket) -> None:
        while not self._room.acquire(timeout=LOOK_AGAIN):
            self._hang_up(time.monotonic())
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            self._room.release()
            return
        connection.settimeout(LIMIT)
        with self._lock:
            self._clients[connection.fileno()] = _Client(connection, time.monotonic() + LIMIT)
        threading.Thread(target=self._serve, args=(connection,), name="client", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            _Handler(connection, "", self)  # type: ignore[arg-type]  # it is only kept
        except OSError:
            pass  # the client has gone, or was too slow
        finally:
            with self._lock:
                del self._clients[connection.fileno()]
                connection.close()
            self._room.release()

    def _hang_up(self, now: float) -> None:
        """Disconnect clients that have had their time."""
        with self._lock:
            for client in self._clients.values():
                if client.deadline < now:
                    _shut_down(client.connection)


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: Server  # type: ignore[assignment]  # it is only kept
    server_version = f"orchestra/{__version__}"
    sys_version = ""
    wbufsize = -1  # one packet for the head and the beginning of an answer

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self._send(HTTPStatus.NOT_FOUND, PLAIN, f"metrics are at {PATH}\n".encode())
            return
        format = choose_format(self.headers.get("Accept", ""))
        try:
            text = self.server.metrics.text(format)
        except OrchestraError as error:
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, PLAIN, f"{error.message}\n".encode())
        else:
            self._send(HTTPStatus.OK, format.value, text)

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: a client that asks every few seconds would fill the log."""
