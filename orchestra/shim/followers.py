"""Handing over the files of a log to the processes that follow it, before rotation or removal takes them away.

A follower listens at a socket in the stack's directory of followers. At the first rotation, and when a run ends, the
shim connects to it and sends every file of the log, the oldest first; from then on each file before it is renamed. So a
follower misses nothing, even if it has not looked yet. There is one message for each file, with its descriptor:

    {"log": name of the log, "stamp": of its first record, "lost": null}

Stamps only rise, so they tell which file comes first. The follower sends one byte back for each file that it is done
with. A file that it holds stays on the disk, so there is a limit. Past it files are not sent, and the next message, if
need be one without a descriptor, says which: ``lost`` is {"first", "last": their stamps, "lines": in the first file,
"more": in the others, "torn": the streams whose last line goes on in the next file}. The follower may have opened the
first of them by its path.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from typing import Any

from orchestra.container import wire
from orchestra.linux import unix_socket
from orchestra.shim import stack_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Content(Protocol):
        """Of the file that is handed over."""

        def count_lines(self) -> int: ...

        def unfinished(self) -> set[str]: ...


HELD = 64 << 20
"""Bytes of files that one follower may hold for one log."""
BUFFER = 2 << 20
MESSAGE = 1280
"""Upper bound of the bytes of a socket's buffer that a message takes: more than its length (socket(7), SO_SNDBUF)."""
SPARE = 8
SO_SNDBUFFORCE = 32
STAMP = len("2026-01-01T00:00:00.000000000Z")


class Followers:
    """The followers of one log, for one run. directory: of their sockets; it need not exist."""

    def __init__(self, directory: str, path: str, max_file: int) -> None:
        self._directory = directory
        self._path = path
        self._max_file = max_file
        self._readers: dict[str, _Reader] = {}

    def hand_over(self, content: Content, *, last: bool = False) -> None:
        """Hand over the newest file, before it is renamed or because it is the last of this run."""
        try:
            entries = os.listdir(self._directory) if self._directory else []
        except FileNotFoundError:
            entries = []
        names = [name for name in entries if not name.startswith(".")]  # the others do not listen yet
        for name in self._readers.keys() - set(names):
            self._readers.pop(name).close()
        if not names:
            return
        newest = _open(self._path)
        if newest is None:
            return
        for name in names:
            reader = self._readers.get(name) or self._meet(name)
            if reader is not None:
                reader.take(newest, content, last=last)
        os.close(newest.fd)

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _meet(self, name: str) -> _Reader | None:
        """Connect, and hand over the files that were rotated earlier."""
        path = f"{self._directory}/{name}"
        try:
            # Not blocking: a stopped follower, with many waiting for it, must not stop this process.
            connection = unix_socket.connect(path, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # it was killed
            return None
        except OSError:
            return None
        reader = self._readers[name] = _Reader(connection, os.path.basename(self._path), self._max_file)
        for number in range(self._max_file - 1, 0, -1):
            older = _open(f"{self._path}.{number}")
            if older is not None:
                reader.send(older)
                os.close(older.fd)
        return reader


class _File:
    """A file of the log, open for reading."""

    __slots__ = ("fd", "size", "stamp")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.size = os.fstat(fd).st_size
        self.stamp = os.pread(fd, STAMP, 0).decode("ascii", "replace")


def _open(path: str) -> _File | None:
    """None if it does not exist, is empty or cannot be opened: the container must not suffer from that."""
    try:
        file = _File(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        return None
    except OSError as error:
        stack_log.write(f"log {path} is not handed over: {error}")
        return None
    if not file.size:
        os.close(file.fd)
        return None
    return file


class _Reader:
    """One follower. held: sizes of the files it is not done with, and their sum."""

    def __init__(self, connection: socket.socket, log: str, in_place: int) -> None:
        self._connection = connection
        self._log = log
        self._in_place = in_place
        with contextlib.suppress(PermissionError):
            connection.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER)
        self._most = connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // MESSAGE - SPARE
        self._held: deque[int] = deque()
        self._sum = 0
        self._lost: dict[str, Any] | None = None

    def take(self, file: _File, content: Content, *, last: bool = False) -> None:
        """Send the file, or note what was in it. last: send it in any case."""
        self._hear()
        if last or self._has_room(file.size):
            self.send(file)
            return
        if self._lost is None:
            self._lost = {"first": file.stamp, "lines": content.count_lines(), "more": 0}
        else:
            self._lost["more"] += content.count_lines()
        self._lost |= {"last": file.stamp, "torn": sorted(content.unfinished())}
        if len(self._held) < self._most:
            self.send(None)

    def close(self) -> None:
        self._connection.close()

    def _has_room(self, size: int) -> bool:
        """The last few files are on the disk whether or not the follower holds them."""
        if len(self._held) >= self._most:
            return False
        return len(self._held) < self._in_place or self._sum + size <= HELD

    def _hear(self) -> None:
        try:
            while self._connection.recv(1):
                self._sum -= self._held.popleft()
        except OSError:
            return  # nothing more for now; or it is gone, which sending will tell

    def send(self, file: _File | None) -> None:
        """The file, or only what was not sent before it."""
        message = {"log": self._log, "stamp": file.stamp if file else "", "lost": self._lost}
        try:
            unix_socket.send(self._connection, wire.encode(message), [file.fd] if file else [])
        except OSError:
            return  # gone; or it does not want this log, and has closed the connection
        size = file.size if file else 0
        self._held.append(size)
        self._sum += size
        self._lost = None
