"""What a command gets from the machine where it was given."""

from __future__ import annotations

import os
import socket
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import BufferedReader

    from orchestra.ssh.order import Order


class Caller:
    """channel: to the process that holds the connection; see ``open``."""

    def __init__(self, order: Order, channel: socket.socket) -> None:
        self._order = order
        self._channel = channel
        self._lock = Lock()

    @property
    def directory(self) -> str:
        return self._order.directory

    @property
    def variables(self) -> Mapping[str, str]:
        return self._order.variables

    @property
    def files(self) -> Mapping[str, bytes | None]:
        return self._order.files

    def open(self, path: str) -> BufferedReader:
        """A file of the caller's machine, or a directory of it as a tar archive, as it comes.

        The caller sends only what its command line and its Compose file name, and else ends the command.
        """
        reading, writing = os.pipe()
        try:
            with self._lock:
                socket.send_fds(self._channel, [path.encode(errors="surrogateescape")], [writing])
        finally:
            os.close(writing)
        return open(reading, "rb")
