"""Sending log lines to syslog or the journal. The container never waits: lines without room are lost and counted.

Datagrams are sent at once or not at all. Data that a stream does not accept waits in a buffer of limited size. The
connection is opened with the run, so that it is up when the first line comes; a broken one is opened again with a
line that comes a second later. The number of lost lines is written to the stack's log and sent to the receiver
once it is back. A connection with TLS counts as made when the handshake is done.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections import deque

from orchestra.linux import unix_socket
from orchestra.shim import stack_log
from orchestra.shim.log_messages import Lines, renderer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.container.settings import Receiver

AGAIN = 1.0
"""Seconds between two attempts to connect."""
FAREWELL = 0.5
"""Seconds that a receiver with TLS is waited for at the end of a run: to greet, and to take the last lines."""


class LogReceiver:
    """The receiver for one run of a container. name: the container's, for messages."""

    def __init__(self, selector: selectors.BaseSelector, name: str, receiver: Receiver) -> None:
        self._selector = selector
        self._name = name
        self._receiver = receiver
        self._render = renderer(receiver)
        self._lines = Lines()
        self._socket: socket.socket | None = None
        self._is_stream = False
        self._connected = False
        self._handshake = ""  # what the next step of it waits for: read or write
        self._later: tuple[type[OSError], ...] = (BlockingIOError,)
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._sent = 0  # bytes of the first waiting message
        self._tried = -AGAIN
        self._lost = 0
        self._trouble = ""
        self._connect()

    def take(self, stream: int, data: bytes) -> None:
        """Accept output of the container."""
        for line in self._lines.feed(stream, data):
            self._send(stream, line)

    def close(self) -> None:
        """Close at the end of the run. Lines that the receiver has not accepted by then are lost."""
        for stream, line in self._lines.finish():
            self._send(stream, line)
        if self._waiting and self._handshake and self._socket is not None:
            self._finish_handshake(self._socket)
        self._flush()
        if self._connected and self._receiver.tls is not None and self._socket is not None:
            from orchestra.shim import log_tls

            self._selector.unregister(self._socket)
            log_tls.take_leave(self._socket, FAREWELL)
        self._lose(len(self._waiting), "the container has ended")
        self._disconnect()
        if self._lost:
            stack_log.write(f"{self._name}: the log receiver missed {self._lost} lines: {self._trouble}")
            self._lost = 0

    def _send(self, stream: int, line: bytes) -> None:
        if self._socket is None and time.monotonic() - self._tried >= AGAIN:
            self._connect()
        if self._socket is None:
            self._lose(1, self._trouble)
            return
        if self._lost and self._connected and self._put(self._render(2, self._apology(), time.time())):
            stack_log.write(f"{self._name}: the log receiver is back; it missed {self._lost} lines")
            self._lost = 0
        if not self._put(self._render(stream, line, time.time())):
            self._lose(1, self._trouble or "it is too slow")

    def _apology(self) -> bytes:
        return f"{self._lost} lines of the log were lost before this one".encode()

    def _put(self, message: bytes) -> bool:
        """Return whether the message is on its way."""
        if not self._is_stream:
            return self._send_datagram(message)
        if self._size + len(message) > self._receiver.buffer:
            return False
        self._waiting.append(message)
        self._size += len(message)
        self._flush()
        return True

    def _send_datagram(self, message: bytes) -> bool:
        assert self._socket is not None
        try:
            self._socket.send(message)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                self._break(error)
            else:
                self._trouble = "lines are too long for it"
            return False
        return True

    def _connect(self) -> None:
        self._tried = time.monotonic()
        scheme, _, rest = self._receiver.address.partition("://")
        try:
            if scheme in ("unix", "unixgram"):
                self._open_unix(rest)
            else:
                self._open_network(rest, is_stream=scheme == "tcp")
        except OSError as error:
            self._break(error)
            return
        self._register()

    def _open_unix(self, path: str) -> None:
        """Try both kinds of socket: /dev/log may be either (syslog(3))."""
        flags = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._is_stream = False
        try:
            self._socket = unix_socket.connect(path, socket.SOCK_DGRAM | flags)
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:
                raise
            self._socket, self._is_stream = unix_socket.connect(path, socket.SOCK_STREAM | flags), True
        self._connected = True

    def _open_network(self, address: str, *, is_stream: bool) -> None:
        """address: ``HOST:PORT`` or ``[HOST]:PORT``, where the host is a number: nothing is looked up here."""
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._is_stream = is_stream
        self._socket = socket.socket(family, socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        code = self._socket.connect_ex((host, int(port)))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        self._connected = code == 0

    def _register(self) -> None:
        """Watch a stream for its end, and for room while anything waits."""
        if self._socket is None or not self._is_stream:
            return
        events = selectors.EVENT_READ
        if self._handshake != "read" and (self._waiting or not self._connected):
            events |= selectors.EVENT_WRITE
        if self._socket.fileno() in self._selector.get_map():
            self._selector.modify(self._socket, events, self._ready)
        else:
            self._selector.register(self._socket, events, self._ready)

    def _ready(self) -> None:
        assert self._socket is not None
        try:
            if not self._connected and not self._complete_connection(self._socket):
                return
            if not self._socket.recv(4096):
                self._break(OSError(errno.ECONNRESET, "it has closed the connection"))
                return
        except self._later:
            pass  # it sends nothing, as is usual
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                self._break(error)
                return
            self._connected = False
        self._flush()

    def _complete_connection(self, connection: socket.socket) -> bool:
        """Return whether messages can be sent now. Raises OSError if they cannot be."""
        if not self._handshake:
            code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
        if self._receiver.tls is not None:
            from orchestra.shim import log_tls

            if not self._handshake:
                self._selector.unregister(connection)
                self._socket = connection = log_tls.secure(connection, self._receiver.tls)
                self._later = log_tls.LATER
            self._handshake = log_tls.shake_hands(connection)
        self._connected = not self._handshake
        self._register()
        return self._connected

    def _finish_handshake(self, connection: socket.socket) -> None:
        """Wait for a moment, or a short run would have sent nothing."""
        deadline = time.monotonic() + FAREWELL
        with selectors.DefaultSelector() as waiting:
            waiting.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while self._handshake and (left := deadline - time.monotonic()) > 0:
                is_read = self._handshake == "read"
                waiting.modify(connection, selectors.EVENT_READ if is_read else selectors.EVENT_WRITE)
                if waiting.select(left):
                    self._ready()

    def _flush(self) -> None:
        """Send waiting messages as far as there is room."""
        try:
            while self._waiting and self._connected and self._socket is not None:
                first = self._waiting[0]
                self._sent += self._socket.send(memoryview(first)[self._sent :])
                if self._sent == len(first):
                    self._waiting.popleft()
                    self._size -= len(first)
                    self._sent = 0
        except self._later:
            pass
        except OSError as error:
            self._break(error)
            return
        self._register()

    def _break(self, error: OSError) -> None:
        """Give the connection up for now."""
        self._trouble = error.strerror or str(error)
        self._disconnect()
        self._lose(len(self._waiting), self._trouble)
        self._waiting.clear()
        self._size = self._sent = 0

    def _disconnect(self) -> None:
        if self._socket is not None:
            if self._socket.fileno() in self._selector.get_map():
                self._selector.unregister(self._socket)
            self._socket.close()
        self._socket, self._connected, self._handshake = None, False, ""

    def _lose(self, count: int, why: str) -> None:
        if count and not self._lost:
            stack_log.write(f"{self._name}: lines do not reach the log receiver {self._receiver.address}: {why}")
        self._lost += count
        self._trouble = why if count else self._trouble
