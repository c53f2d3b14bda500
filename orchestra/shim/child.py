"""What the fork server remembers of one shim and keeps for its container."""

from __future__ import annotations

import os
import time

from orchestra.shim.supervision import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from orchestra.shim.directory import ContainerDirectory


class Child:
    """A shim as the fork server knows it.

    channel: to the shim, None for one that an earlier fork server forked; pidfd: to watch that one by; terminal: the
    second master of its container, or -1; streams: our ends of its pipes, kept so that what is in them is not lost when
    container and shim end together; exit_code: of its container, when that became an orphan and was reaped here;
    leaving: it has nothing to do any more, and a new run may begin in its directory.
    """

    __slots__ = ("backoff", "born", "channel", "directory", "exit_code", "leaving", "pidfd", "streams", "terminal")

    def __init__(self, directory: ContainerDirectory) -> None:
        self.directory = directory
        self.channel: socket.socket | None = None
        self.pidfd = -1
        self.terminal = -1
        self.streams: list[int] = []
        self.exit_code: int | None = None
        self.leaving = False
        self.backoff = Backoff()
        self.born = time.monotonic()

    def keep(self, fds: list[int], *, terminal: bool) -> None:
        if terminal and fds:
            self.terminal = fds[0]
        else:
            self.streams += fds

    def hand_over(self, successor: Child) -> None:
        successor.backoff, successor.exit_code = self.backoff, self.exit_code
        successor.terminal, self.terminal = self.terminal, -1
        successor.streams, self.streams = self.streams, []

    def close(self) -> None:
        for fd in (*self.streams, self.terminal):
            if fd >= 0:
                os.close(fd)
