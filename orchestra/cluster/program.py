"""A program that runs in a container elsewhere, at the other end of a connection, as if it ran here."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol

from orchestra.errors import OrchestraError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

OUTPUT, ERROR = 1, 2
_CHUNK = 1 << 15
_MOST_WAITING = 1 << 20
"""Bytes of input that wait for the connection before more is read."""


class Session(Protocol):
    """What is said on a connection, and how. first: what has come already."""

    connection: socket.socket
    first: bytes

    def received(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """What the program has written, each with OUTPUT or ERROR. Raises OrchestraError."""

    def answers(self) -> bytes:
        """What is to be sent after something was received."""

    def rendered(self, data: bytes) -> bytes:
        """Input of the program."""

    def ended(self) -> bytes | None:
        """The end of its input; None to end this direction of the connection."""

    def resized(self, rows: int, columns: int) -> bytes:
        """The size of its terminal; nothing if it is told in another way."""

    def exit_code(self) -> int:
        """After the connection has ended. Raises OrchestraError if the program could not be run."""

    def close(self) -> None: ...


class Program:
    """Use ``with``. Readable, as ``fileno``, when it has ended; ``terminal`` is a descriptor, or -1.

    stdio: three descriptors, which stay the caller's; none for a terminal.
    """

    warnings: tuple[str, ...] = ()

    def __init__(self, session: Session, stdio: Sequence[int]) -> None:
        self._session = session
        self._over = os.eventfd(0, os.EFD_CLOEXEC)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._ours: list[socket.socket] = []
        if stdio:
            self.terminal = -1
            self._fds = [os.dup(fd) for fd in stdio]
        else:
            pair = socket.socketpair()
            self.terminal = pair[0].detach()
            fd = pair[1].detach()
            self._fds = [fd, os.dup(fd), os.dup(fd)]
        self._tasks: deque[Callable[[], bytes]] = deque()
        self._failure: OrchestraError | OSError | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_stopped(self) -> bool:
        """Whether signals have no effect: they do not reach other machines, while keys of a terminal do."""
        return self.terminal < 0

    def fileno(self) -> int:
        return self._over

    def wait(self) -> int:
        """Its exit code. Raises TemporaryError if the connection broke off."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._session.exit_code()

    def resize(self, rows: int, columns: int) -> None:
        self._tasks.append(lambda: self._session.resized(rows, columns))
        os.eventfd_write(self._wake, 1)

    def signal(self, number: int) -> None:
        """Has no effect, as ``is_stopped`` says."""

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        self._session.close()
        for fd in (self._over, self._wake, *([self.terminal] if self.terminal >= 0 else [])):
            os.close(fd)

    def _run(self) -> None:
        try:
            self._pump()
        except (OrchestraError, OSError) as failure:
            self._failure = failure
        finally:
            if self.terminal >= 0:
                _forget_keys(self._fds[0])
            for fd in self._fds:
                os.close(fd)
            os.eventfd_write(self._over, 1)

    def _pump(self) -> None:
        """One thread for both directions, and a connection that does not block: neither can hold the other up."""
        connection, waiting = self._session.connection, bytearray()
        connection.setblocking(False)
        self._deliver(self._session.first)
        reads, shuts = True, False
        while not self._closing:
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            poll.register(connection, select.POLLIN | (select.POLLOUT if waiting else 0))
            if reads and len(waiting) < _MOST_WAITING:
                poll.register(self._fds[0], select.POLLIN)
            ready = {fd for fd, _events in poll.poll()}
            if self._wake in ready:
                os.eventfd_read(self._wake)
                while self._tasks:
                    waiting += self._tasks.popleft()()
            if self._fds[0] in ready:
                data = os.read(self._fds[0], _CHUNK)
                end = self._session.ended() if not data else self._session.rendered(data)
                reads, shuts = bool(data), end is None
                waiting += end or b""
            if connection.fileno() in ready and not self._receive(connection):
                return
            waiting += self._session.answers()
            _send(connection, waiting)
            if shuts and not waiting:
                shuts = False
                connection.shutdown(socket.SHUT_WR)

    def _receive(self, connection: socket.socket) -> bool:
        """All that has come; whether more may come."""
        while True:
            try:
                data = connection.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            except ConnectionResetError:
                # The program has ended without all of its input, unless the session knows of no exit code.
                return False
            except OSError as error:
                raise TemporaryError(f"the connection to the program broke off: {error}") from error
            if not data:
                return False
            self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        for stream, content in self._session.received(data):
            view = memoryview(content)
            # The reader of an output may be gone, while the program goes on.
            with contextlib.suppress(BrokenPipeError):
                while view:
                    view = view[os.write(self._fds[stream], view) :]


def _forget_keys(fd: int) -> None:
    """Those that were typed and not read would make an error of the end of file at the other end (unix(7))."""
    with socket.socket(fileno=os.dup(fd)) as ours:
        ours.setblocking(True)
        ours.shutdown(socket.SHUT_RD)
        while ours.recv(_CHUNK):
            pass


def _send(connection: socket.socket, waiting: bytearray) -> None:
    """As much as the connection takes."""
    try:
        while waiting:
            del waiting[: connection.send(waiting)]
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return
    except (BrokenPipeError, ConnectionResetError):
        waiting.clear()  # the program has ended, and what it has said is still to be read
    except OSError as error:
        raise TemporaryError(f"the connection to the program broke off: {error}") from error
