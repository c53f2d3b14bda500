"""Unix sockets by paths of any length, and descriptors sent over them."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SUN_PATH = 108  # unix(7); the terminating zero byte counts
_FD = struct.Struct("i")
_CREDENTIALS = struct.Struct("3i")


def _with_address(path: str, use: Callable[[str], None]) -> None:
    """Reach a path that is too long for sun_path through a descriptor of its directory."""
    if len(os.fsencode(path)) < SUN_PATH:
        use(path)
        return
    directory, name = os.path.split(path)
    fd = os.open(directory or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        use(f"/proc/self/fd/{fd}/{name}")
    finally:
        os.close(fd)


def connect(path: str, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A connected socket. FileNotFoundError or ConnectionRefusedError, with the path, if no process listens."""
    connection = socket.socket(socket.AF_UNIX, kind)
    try:
        _with_address(path, connection.connect)
    except OSError as error:
        connection.close()
        raise OSError(error.errno, error.strerror, path) from None
    return connection


def bind(path: str, *, mode: int = 0o600, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A socket that replaces whatever was at ``path``. The caller holds the lock that permits this."""
    bound = socket.socket(socket.AF_UNIX, kind)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        _with_address(path, bound.bind)
        os.chmod(path, mode)
    except OSError:
        bound.close()
        raise
    return bound


def listen(path: str, *, backlog: int = 1024, mode: int = 0o600, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """The same, and listening."""
    listener = bind(path, mode=mode, kind=kind)
    listener.listen(backlog)
    return listener


def listener_of(connection: socket.socket) -> int:
    """The pid of the process that has called listen(2) at the other end (unix(7), SO_PEERCRED)."""
    pid, _, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(pid)


def send(connection: socket.socket, data: bytes, fds: tuple[int, ...] | list[int] = ()) -> None:
    """All of ``data``; the descriptors travel with its first byte."""
    if fds:
        sent = socket.send_fds(connection, [data], list(fds))
        data = data[sent:]
    if data:
        connection.sendall(data)


def receive(connection: socket.socket, size: int, max_fds: int = 16) -> tuple[bytes, list[int]]:
    """One recvmsg(2). The descriptors are close-on-exec, and the caller closes them."""
    # socket.recv_fds drops its flags: the programs we start would inherit its descriptors.
    space = socket.CMSG_SPACE(max_fds * _FD.size)
    data, ancillary, _flags, _address = connection.recvmsg(size, space, socket.MSG_CMSG_CLOEXEC)
    fds: list[int] = []
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            whole = len(content) // _FD.size * _FD.size
            fds += (fd for (fd,) in _FD.iter_unpack(content[:whole]))
    return data, fds
