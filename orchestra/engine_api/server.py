"""Listens, and serves each connection in a thread of its own, until there has been no client for a while."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11

from orchestra.engine_api.errors import ApiError, Hangup, forbidden
from orchestra.engine_api.exchange import Connection, Exchange
from orchestra.engine_api.route import Table, read_request
from orchestra.engine_api.routes import ROUTES
from orchestra.errors import EnvironmentLack, OrchestraError
from orchestra.linux.readiness import first_readable

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from orchestra.engine_api.world import World

HALF_A_REQUEST = 60.0
"""Seconds without a byte after which a client that has begun a request is disconnected; and one that begins none."""
AT_ONCE = 1000
"""Connections; further ones wait in the kernel."""
LOOK_AGAIN = 1.0
"""Seconds between two looks whether the server is still needed."""


class Server:
    """idle: seconds without a connection after which ``serve`` returns; None for never."""

    def __init__(self, world: World, listeners: Sequence[socket.socket], idle: float | None = None) -> None:
        self._world = world
        self._listeners = listeners
        self._idle = idle
        self._table = Table(ROUTES)
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._open: set[Connection] = set()
        self._busy = 0
        self._last = time.monotonic()

    def serve(self, stop: int) -> None:
        """Return when ``stop``, a descriptor, is readable, or nothing has happened for long enough."""
        for listener in self._listeners:
            listener.setblocking(False)
        while not self._is_idle():
            seconds = None if self._idle is None else LOOK_AGAIN
            ready = first_readable([*(listener.fileno() for listener in self._listeners), stop], seconds)
            if stop in ready:
                break
            for listener in self._listeners:
                if listener.fileno() in ready:
                    self._accept(listener)
        self.close()

    def close(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            connection.hang_up()

    def _is_idle(self) -> bool:
        if self._idle is None:
            return False
        with self._lock:
            rests = not self._busy and time.monotonic() - self._last > self._idle
        return rests and not self._world.is_needed()

    def _accept(self, listener: socket.socket) -> None:
        self._room.acquire()
        try:
            accepted, _ = listener.accept()
        except BlockingIOError:
            self._room.release()
            return
        accepted.settimeout(HALF_A_REQUEST)
        threading.Thread(target=self._serve, args=(Connection(accepted),), name="client", daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            while self._serve_request(connection):
                continue
        except Hangup:
            pass  # nothing is left to be told to it
        finally:
            with self._lock:
                self._open.discard(connection)
                self._last = time.monotonic()
            connection.close()
            self._room.release()

    def _serve_request(self, connection: Connection) -> bool:
        """Whether there may be another."""
        try:
            head = connection.next_head()
        except h11.RemoteProtocolError as error:
            connection.refuse(HTTPStatus(error.error_status_hint), f"not a request: {error}")
            return False
        if head is None:
            return False
        with self._lock:
            self._busy += 1
        try:
            self._answer(connection, head)
            return connection.rest_is_read()
        except h11.RemoteProtocolError as error:
            if not connection.has_answered:
                connection.refuse(HTTPStatus(error.error_status_hint), f"not a request: {error}")
            return False
        finally:
            with self._lock:
                self._busy -= 1
                self._last = time.monotonic()

    def _answer(self, connection: Connection, head: h11.Request) -> None:
        method, target = head.method.decode("latin-1"), head.target.decode("latin-1")
        try:
            request = read_request(method, target, list(head.headers))
            route, parameters = self._table.find(method, request.path)
            if route.writes and self._world.read_only:
                raise forbidden(f"this socket is read-only: {method} {route.pattern} is refused")
            if route.writes and self._world.stacks and not route.is_of_container:
                # A new container could mount every directory of the machine.
                seen = ", ".join(sorted(self._world.stacks))
                raise forbidden(f"this socket is for the containers of {seen}: {method} {route.pattern} is refused")
            connection.socket.settimeout(None)
            route.handler(self._world, Exchange(connection, request, parameters))
        except (h11.LocalProtocolError, Hangup, h11.RemoteProtocolError):
            raise
        except Exception as error:  # a thread has no caller: whatever it is, the client is told and the server lives
            if not isinstance(error, (ApiError, OrchestraError)):
                traceback.print_exception(error, file=sys.stderr)
            if connection.has_answered:
                raise Hangup from error
            connection.refuse(status_of(error), sentence_of(error))
        finally:
            if not connection.is_raw:
                connection.socket.settimeout(HALF_A_REQUEST)


def status_of(error: Exception) -> HTTPStatus:
    """Handlers say what is not there and what conflicts; what is left is the request's fault, or the machine's."""
    if isinstance(error, ApiError):
        return error.status
    if isinstance(error, OrchestraError) and not isinstance(error, EnvironmentLack):
        return HTTPStatus.INTERNAL_SERVER_ERROR if error.temporary else HTTPStatus.BAD_REQUEST
    return HTTPStatus.INTERNAL_SERVER_ERROR


def sentence_of(error: Exception) -> str:
    if isinstance(error, ApiError):
        return error.message
    if isinstance(error, OrchestraError):
        return f"{error.message}: {error.hint}" if error.hint else error.message
    return f"{type(error).__name__}: {error}"
