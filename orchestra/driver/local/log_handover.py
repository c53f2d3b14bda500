"""Files of logs that shims hand over to this process: the other side of ``orchestra.shim.followers``.

What has not been taken yet waits in sockets, so a stopped process needs no memory for it. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from typing import Any

from orchestra.container import wire
from orchestra.linux import unix_socket
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.home import StackHome

LONGEST_MESSAGE = 4096


class Handover:
    """Where the shims of one stack hand over files to this process, between ``open`` and ``close``.

    It is opened before any log is. A stack that is not running has no directory for it, and hands nothing over.
    """

    def __init__(self, stack_home: StackHome) -> None:
        self._home = stack_home
        self._listener: socket.socket | None = None
        self._path = ""
        self._nameless: list[socket.socket] = []
        self._logs: dict[str, HandedFiles] = {}

    def open(self) -> None:
        if os.path.isdir(self._home.run):
            with contextlib.suppress(PermissionError):  # another user's: only what is in place can be read then
                os.makedirs(self._home.followers, mode=0o700, exist_ok=True)
                name = f"{os.getpid()}-{os.urandom(4).hex()}"
                hidden, path = (f"{self._home.followers}/{dot}{name}" for dot in (".", ""))
                self._listener = unix_socket.listen(hidden, kind=socket.SOCK_SEQPACKET)
                self._listener.setblocking(False)
                # Not before it listens: a shim that is refused would take this process for killed.
                os.rename(hidden, path)
                self._path = path

    def close(self) -> None:
        for connection in self._nameless:
            connection.close()
        self._nameless.clear()
        for log in self._logs.values():
            log.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)

    def of(self, log: str) -> HandedFiles:
        """log: the name of its first file."""
        if log not in self._logs:
            self._logs[log] = HandedFiles(self)
        return self._logs[log]

    def refuse(self, log: str) -> None:
        """Take nothing of this log, and drop what waits."""
        if log in self._logs:
            self._logs.pop(log).close()

    def accept(self) -> list[str]:
        """Accept the shims that have connected since. Returns the logs whose files have been handed over."""
        while self._listener is not None:
            try:
                connection, _address = self._listener.accept()
            except BlockingIOError:
                break
            connection.setblocking(False)
            self._nameless.append(connection)
        waiting, self._nameless = self._nameless, []
        for connection in waiting:
            try:
                log, first = _receive(connection)
            except BlockingIOError:
                self._nameless.append(connection)
            except (OSError, EOFError, ValueError, KeyError):
                connection.close()
            else:
                self.of(log).add(connection, first)
        return list(self._logs)


class Handed(NamedTuple):
    """fd: -1 for a message about files that were not handed over."""

    stamp: bytes
    fd: int
    lost: dict[str, Any] | None


class HandedFiles:
    """The files of one log, in the order in which they were written.

    lost: lines of files that were not handed over, and torn: the streams whose last line there goes on after them; both
    are set back by the reader. passed: the last stamp of those files.
    """

    def __init__(self, handover: Handover) -> None:
        self.lost = 0
        self.torn: set[bytes] = set()
        self.passed = b""
        self._handover = handover
        self._runs: deque[tuple[socket.socket, Handed]] = deque()  # each with what it has sent first
        self._connection: socket.socket | None = None
        self._next: Handed | None = None

    def add(self, connection: socket.socket, first: Handed) -> None:
        """A shim of another run, or one that has taken over."""
        self._runs.append((connection, first))

    def follow(self, stamp: bytes) -> bool:
        """Whether there is a file that begins after ``stamp``; older ones are dropped."""
        self._handover.accept()
        while self._next is not None or self._read():
            handed = self._next
            assert handed is not None
            if handed.lost is not None:
                self._note(handed.lost, stamp)
                self._next = handed = handed._replace(lost=None)
            if handed.fd >= 0 and handed.stamp > stamp:
                return True
            if handed.fd >= 0:
                os.close(handed.fd)
            self._done()
        return False

    def take(self) -> int:
        """That file. The caller closes it."""
        assert self._next is not None
        fd = self._next.fd
        self._done()
        return fd

    def close(self) -> None:
        if self._connection is not None:
            self._runs.appendleft((self._connection, self._next or Handed(b"", -1, None)))
        for connection, handed in self._runs:
            connection.close()
            if handed.fd >= 0:
                os.close(handed.fd)
        self._runs.clear()
        self._connection = self._next = None

    def _done(self) -> None:
        """Say that one more may be held."""
        self._next = None
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.send(b"\0")

    def _note(self, lost: dict[str, Any], stamp: bytes) -> None:
        """Of what comes after ``stamp``. The reader may have opened the first of the files that are meant."""
        first, last = lost["first"].encode(), lost["last"].encode()
        if last <= stamp:
            return
        self.lost += lost["more"] + (lost["lines"] if first > stamp else 0)
        self.torn = {stream.encode() for stream in lost["torn"]}
        self.passed = last

    def _read(self) -> bool:
        """One more message, if there is one. Those of an earlier run come first."""
        while True:
            if self._connection is None:
                if not self._runs:
                    return False
                self._connection, self._next = self._runs.popleft()
                return True
            try:
                _log, self._next = _receive(self._connection)
            except BlockingIOError:
                return False
            except (OSError, EOFError, ValueError, KeyError):
                self._connection.close()  # the end of the run
                self._connection = None
            else:
                return True


def _receive(connection: socket.socket) -> tuple[str, Handed]:
    """A message, and the log's name. BlockingIOError when there is none yet, EOFError when there will be none."""
    try:
        data, fds = unix_socket.receive(connection, LONGEST_MESSAGE)
    except ConnectionResetError:
        # It has closed without reading all our replies: this error comes once, and then what it sent before.
        data, fds = unix_socket.receive(connection, LONGEST_MESSAGE)
    if not data:
        raise EOFError
    message = wire.decode(data)
    return message["log"], Handed(message["stamp"].encode(), fds[0] if fds else -1, message["lost"])
