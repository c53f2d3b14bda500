"""What the fork server remembers of one shim and keeps for its container."""

from __future__ import annotations

import os
import time

from orchestra.shim.supervision import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from orchestra.container.directory import ContainerDirectory


NOBODY = -1


class Child:
    """A shim as the fork server knows it.

    pid: of its process, which may have other shims as well; 0 for one that an earlier fork server forked, -1
    while another is about to take over; channel: the socket to it, None once it has closed that; terminal: the second
    master of its container's terminal, or -1; streams: our ends of its pipes, kept so that their content is not lost if
    container and shim end together; exit_code: of its container, if that became an orphan and was reaped here; leaving:
    it has nothing left to do, and a new run may begin in its directory.
    """

    __slots__ = ("backoff", "born", "channel", "directory", "exit_code", "leaving", "pid", "streams", "terminal")

    def __init__(self, directory: ContainerDirectory, pid: int) -> None:
        self.directory = directory
        self.pid = pid
        self.channel: socket.socket | None = None
        self.terminal = -1
        self.streams: list[int] = []
        self.exit_code: int | None = None
        self.leaving = False
        self.backoff = Backoff()
        self.born = time.monotonic()

    def is_over(self) -> bool:
        """Whether the run has ended, or there is none."""
        return self.directory.has("exit.json") or not self.directory.has("shim.pid")

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
