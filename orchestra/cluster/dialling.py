"""Connections to an engine on another machine, each through an ``ssh`` program of its own.

There ``docker system dial-stdio`` passes the connection on to the engine's socket, as for Docker's own client.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import httpcore2

from orchestra.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.ssh.address import Address

_DIAL = "docker system dial-stdio"
_QUIET = 'trap "" INT QUIT; exec "$@"'
"""Signals from the keyboard are for Orchestra, which may have changes to take back: ssh leaves those alone that it
finds ignored."""
_NOT_FOUND = 127


class Dialling(httpcore2.SyncBackend):
    """Instead of a connection to a Unix socket, one to the engine on that machine."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.NetworkStream:
        """Raises Unreachable without an ssh program."""
        if shutil.which("ssh") is None:
            raise Unreachable("there is no ssh on this machine", hint="install OpenSSH's client")
        ours, theirs = socket.socketpair()
        with theirs:
            command = ["sh", "-c", _QUIET, "sh", *self._address.running(_DIAL)]
            ssh = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno())
        return _Stream(ours, ssh, self._address.server)


class _Stream(httpcore2.NetworkStream):
    """A socket whose other end ssh has."""

    def __init__(self, connection: socket.socket, ssh: subprocess.Popen[bytes], server: str) -> None:
        self._connection = connection
        self._ssh = ssh
        self._server = server
        self._has_answered = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._connection.settimeout(timeout)
        try:
            data = self._connection.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(str(error)) from error
        except OSError as error:
            self._check()
            raise httpcore2.ReadError(str(error)) from error
        if not data:
            self._check()
        self._has_answered = True
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._connection.settimeout(timeout)
        try:
            self._connection.sendall(buffer)
        except TimeoutError as error:
            raise httpcore2.WriteTimeout(str(error)) from error
        except OSError as error:
            self._check()
            raise httpcore2.WriteError(str(error)) from error

    def _check(self) -> None:
        """ssh has ended. Raises Unreachable if it never led anywhere."""
        if not self._has_answered and (code := self._ssh.wait()):
            raise _unreachable(self._server, code)

    def close(self) -> None:
        self._connection.close()
        self._ssh.terminate()
        self._ssh.wait()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._is_readable()
        return self._connection if info == "socket" else None

    def _is_readable(self) -> bool:
        """An idle connection that can be read has ended."""
        self._connection.setblocking(False)
        try:
            self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


def _unreachable(server: str, code: int) -> Unreachable:
    if code == _NOT_FOUND:
        return Unreachable(f"there is no docker on {server}", hint="ssh runs docker system dial-stdio there")
    return Unreachable(
        f"no connection to the engine on {server}: ssh has ended with exit code {code}",
        hint=f"what ssh says is above; try ssh {server} docker version",
    )
