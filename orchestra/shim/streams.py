"""The streams of a container for one run: its FIFOs or its terminal, read into its log and shown to spectators."""

from __future__ import annotations

import contextlib
import os
import selectors

from orchestra.container import wire
from orchestra.linux import unix_socket
from orchestra.shim import stack_log
from orchestra.shim.frames import OUTPUT
from orchestra.shim.input import Input
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
        self._pipes: dict[int, int] = {}
        self.terminal = -1
        self.log = LogWriter(directory.file("log.note"))
        self._receiver: LogReceiver | None = None
        self._caller: socket.socket | None = None
        self._input = Input(selector, lambda has_room: self._spectators.hear(has_room))
        self._spectators = Spectators(selector, self._input.write, self._input.end, self._keep_pace)
        self._reads = False  # what the container writes

    @property
    def kept(self) -> list[int]:
        """Descriptors for a second keeper: the content of a pipe or terminal is lost if no process has it open."""
        return [self.terminal] if self.terminal >= 0 else list(self._pipes.values())

    def call(self, path: str) -> bool:
        """Reach the client that waits there for this run, before anything is written. Whether it does.

        It is attached as soon as there is something to attach to.
        """
        try:
            self._caller = unix_socket.connect(path)
        except OSError as error:
            stack_log.write(f"{self._directory.name}: runs without its client: {error}")
        return self._caller is not None

    def make_pipes(self, *, stdin: bool) -> None:
        for name in ("stdout", "stderr", *(("stdin",) if stdin else ())):
            os.mkfifo(self._directory.file(name), 0o600)

    def open_log(self, log: Log | None, receiver: Receiver | None = None) -> None:
        self.log.open(None if log is None else LogFile(log.path, log.max_size, log.max_file, log.followers))
        if receiver is not None:
            # Few containers have one, and a shim is small.
            from orchestra.shim.log_receiver import LogReceiver

            self._receiver = LogReceiver(self._selector, self._directory.name, receiver)

    def open_pipes(self, *, stdin: bool = True) -> None:
        """Not blocking, so they open whether or not the other end is there.

        None exists any more if the previous shim was killed at the very end of its work.
        """
        for number, name in PIPES.items():
            with contextlib.suppress(FileNotFoundError):
                self._pipes[number] = os.open(self._directory.file(name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if stdin:
            with contextlib.suppress(FileNotFoundError):
                self._input.open(os.open(self._directory.file("stdin"), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))

    def reader_is_there(self) -> None:
        """The container has opened its standard input."""
        self._input.reader_is_there()

    def watch_pipes(self) -> None:
        if self._pipes:
            self._begin()

    def keep_terminal(self, master: int) -> None:
        os.set_blocking(master, False)
        self.terminal = master
        self._input.open(os.dup(master))
        self._input.reader_is_there()
        self._begin()

    def _begin(self) -> None:
        """Read what the container writes, and show it to the client that was called."""
        self._keep_pace(True)
        if self._caller is not None:
            caller, self._caller = self._caller, None
            try:
                self.attach(caller, ends_input=True)
            except OSError as error:
                stack_log.write(f"{self._directory.name}: its client is gone: {error}")
                caller.close()
                self._input.end()

    def _keep_pace(self, reads: bool) -> None:
        """Read on, or have the container wait for who is shown what it writes."""
        if reads == self._reads:
            return
        self._reads = reads
        for number, fd in self._pipes.items():
            if reads:
                self._selector.register(fd, selectors.EVENT_READ, lambda number=number: self._pump(number))
            else:
                self._selector.unregister(fd)
        if self.terminal >= 0:
            if reads:
                self._selector.register(self.terminal, selectors.EVENT_READ, self._pump_terminal)
            else:
                self._selector.unregister(self.terminal)

    def recover(self) -> None:
        """Write what a killed shim was writing."""
        self.log.recover(self._pipes)

    def attach(self, connection: socket.socket, *, ends_input: bool = False) -> None:
        """Say what there is to attach to, and show it from now on. The connection is ours unless OSError is raised."""
        terminal = self.terminal
        wire.send(connection, {"terminal": terminal >= 0}, [terminal] if terminal >= 0 else ())
        self._spectators.add(connection, ends_input=ends_input and terminal < 0)

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

    def conclude(self, exit_code: int | None) -> None:
        """Tell spectators how the run has ended."""
        self._spectators.conclude(exit_code)

    def close(self) -> None:
        """End of file tells the clients."""
        self._spectators.close()
        self._input.close()
        self._close_receiver()
        self.log.close()
        if self._caller is not None:
            self._caller.close()
        for fd in (*self._pipes.values(), self.terminal):
            if fd >= 0:
                os.close(fd)

    def _pump(self, number: int) -> bool:
        """Whether there was any output."""
        data = self.log.pump(self._pipes[number], number)
        if data is None:
            self._let_go(self._pipes.pop(number))
        elif data:
            self._show(number, data)
        return bool(data)

    def _show(self, stream: int, data: bytes) -> None:
        """What is in the log already."""
        self._spectators.show(stream, data)
        if self._receiver is not None:
            self._receiver.take(stream, data)

    def _pump_terminal(self) -> bool:
        data = self.log.pump_terminal(self.terminal)
        if data is None:
            master, self.terminal = self.terminal, -1
            self._let_go(master)
        elif data:
            self._show(OUTPUT, data)
        return bool(data)

    def _let_go(self, fd: int) -> None:
        """It has come to its end."""
        if self._reads:
            self._selector.unregister(fd)
        os.close(fd)
