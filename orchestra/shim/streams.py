"""The streams of a container for one run: its FIFOs or its terminal, read into its log and shown to spectators."""

from __future__ import annotations

import contextlib
import os
import selectors

from orchestra.shim.log import LogFile, LogWriter
from orchestra.shim.spectators import Spectators

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from orchestra.container.directory import ContainerDirectory
    from orchestra.container.settings import Log, Receiver
    from orchestra.shim.log_receiver import LogReceiver

PIPES = {1: "stdout", 2: "stderr"}


class Streams:
    """Our ends of the streams. terminal: the master, or -1."""

    def __init__(self, selector: selectors.BaseSelector, directory: ContainerDirectory) -> None:
        self._selector = selector
        self._directory = directory
        self._stdin = -1
        self._pipes: dict[int, int] = {}
        self.terminal = -1
        self.log = LogWriter(directory.file("log.note"))
        self._receiver: LogReceiver | None = None
        self._spectators = Spectators(selector, lambda: self.terminal if self.terminal >= 0 else self._stdin)

    @property
    def kept(self) -> list[int]:
        """Descriptors for a second keeper: the content of a pipe or terminal is lost if no process has it open."""
        return [self.terminal] if self.terminal >= 0 else list(self._pipes.values())

    def make_pipes(self, *, stdin: bool) -> None:
        for name in ("stdout", "stderr", *(("stdin",) if stdin else ())):
            os.mkfifo(self._directory.file(name), 0o600)

    def open_log(self, log: Log | None, receiver: Receiver | None = None) -> None:
        self.log.open(None if log is None else LogFile(log.path, log.max_size, log.max_file, log.followers))
        if receiver is not None:
            # Few containers have one, and a shim is small.
            from orchestra.shim.log_receiver import LogReceiver

            self._receiver = LogReceiver(self._selector, self._directory.name, receiver)

    def open_pipes(self) -> None:
        """Not blocking, so they open whether or not the other end is open.

        None exists any more if the previous shim was killed at the very end of its work.
        """
        for number, name in PIPES.items():
            with contextlib.suppress(FileNotFoundError):
                self._pipes[number] = os.open(self._directory.file(name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(FileNotFoundError):
            self._stdin = os.open(self._directory.file("stdin"), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def watch_pipes(self) -> None:
        for number, fd in self._pipes.items():
            self._selector.register(fd, selectors.EVENT_READ, lambda number=number: self._pump(number))

    def keep_terminal(self, master: int) -> None:
        os.set_blocking(master, False)
        self.terminal = master
        self._selector.register(master, selectors.EVENT_READ, self._pump_terminal)

    def recover(self) -> None:
        """Write what a killed shim was writing."""
        self.log.recover(self._pipes)

    def attach(self, connection: socket.socket) -> None:
        self._spectators.add(connection)

    def drain(self) -> None:
        """Log everything that was written before the container ended."""
        for number in list(self._pipes):
            while number in self._pipes and self._pump(number):
                continue
        while self.terminal >= 0 and self._pump_terminal():
            continue
        self.log.close_lines()
        self._close_receiver()

    def _close_receiver(self) -> None:
        if self._receiver is not None:
            self._receiver.close()
            self._receiver = None

    def close(self) -> None:
        """End of file tells the clients."""
        self._spectators.close()
        self._close_receiver()
        self.log.close()
        for fd in (*self._pipes.values(), self._stdin, self.terminal):
            if fd >= 0:
                os.close(fd)

    def _pump(self, number: int) -> bool:
        """Whether there was any output."""
        data = self.log.pump(self._pipes[number], number)
        if data is None:
            fd = self._pipes.pop(number)
            self._selector.unregister(fd)
            os.close(fd)
        elif data:
            self._show(number, data)
        return bool(data)

    def _show(self, stream: int, data: bytes) -> None:
        """What is in the log already."""
        self._spectators.show(data)
        if self._receiver is not None:
            self._receiver.take(stream, data)

    def _pump_terminal(self) -> bool:
        data = self.log.pump_terminal(self.terminal)
        if data is None:
            self._selector.unregister(self.terminal)
            os.close(self.terminal)
            self.terminal = -1
        elif data:
            self._show(1, data)
        return bool(data)
