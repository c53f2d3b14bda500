"""The side that answers: runs one command for another machine, between its standard input and output.

The command gets what it would have there: a terminal or a pipe for each of its streams, signals, and the size of the
window. When the connection ends before the command, it is hung up, as one whose terminal is closed.
"""

from __future__ import annotations

import os
import select
import signal
import socket

from orchestra.linux import process, tty
from orchestra.ssh.command import start
from orchestra.ssh.frames import (
    EXIT,
    INPUT,
    ORDER,
    OUTPUT,
    SIGNAL,
    SIZE,
    STDERR,
    STDIN,
    STDOUT,
    TAKEN,
    WANTED,
    WINDOW,
    Garbled,
    Outbox,
    Parser,
    read_available,
    render_greeting,
)
from orchestra.ssh.order import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.ssh.command import Command, Run
    from orchestra.ssh.frames import Frame
    from orchestra.ssh.order import Order


_PATIENCE = 10.0
"""Seconds that a command has to end after it was hung up."""
_LONGEST_PATH = 1 << 16
_BAD_ORDER = 1


def answer(version: str, run: Run) -> int:
    """Return when the command has ended, or the connection. run: the command line, in a process of its own."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.write(STDOUT, render_greeting(version))
    parser = Parser()
    while True:
        data = os.read(STDIN, WINDOW)
        if not data:
            return _BAD_ORDER
        parser.feed(data)
        if frames := parser.frames():
            break
    if frames[0].kind != ORDER:
        return _BAD_ORDER
    order = decode(frames[0].content)
    session = _Session(order, start(order, run), parser)
    session.relay(frames[1:])
    return 0


class _Sink:
    """Where input of the other side goes. fd: closed at its end."""

    def __init__(self, fd: int) -> None:
        self.box = Outbox(fd)
        self.ended = False

    def close(self) -> None:
        os.close(self.box.fd)


class _Session:
    """One command and the connection, while both last."""

    def __init__(self, order: Order, command: Command, parser: Parser) -> None:
        self._order = order
        self._command = command
        self._parser = parser
        self._out = Outbox(STDOUT)
        self._sinks: dict[int, _Sink] = {}
        self._asked = STDERR
        self._over = False
        os.set_blocking(STDIN, False)
        for fd in command.outputs:
            os.set_blocking(fd, False)
        if command.stdin >= 0:
            self._sinks[STDIN] = _Sink(command.stdin)
        elif command.terminal >= 0 and STDIN in order.terminals:
            self._sinks[STDIN] = _Sink(os.dup(command.terminal))

    def relay(self, frames: Sequence[Frame]) -> None:
        """Until the command has ended and its output was sent, or the connection is lost. frames: that came already."""
        try:
            for frame in frames:
                self._take(frame)
            while not self._over:
                self._turn()
            self._finish()
        except (OSError, Garbled):
            if not self._over:
                self._hang_up()

    def _take(self, frame: Frame) -> None:
        """Raises Garbled."""
        command = self._command
        if frame.kind == INPUT:
            sink = self._sinks.get(frame.stream)
            if sink is None:  # its reader is gone
                self._out.send(TAKEN, frame.stream, len(frame.content).to_bytes(4, "big"))
            elif frame.content:
                sink.box.put(frame.content)
            else:
                sink.ended = True
                self._write(frame.stream)
        elif frame.kind == SIGNAL:
            command.signal(frame.stream)
        elif frame.kind == SIZE and command.terminal >= 0:
            rows, columns = frame.stream >> 16, frame.stream & 0xFFFF
            tty.set_size(command.terminal, tty.Size(rows, columns))
        elif frame.kind != SIZE:
            raise Garbled

    def _turn(self) -> None:
        command = self._command
        poll = select.poll()
        poll.register(STDIN, select.POLLIN)
        poll.register(command.pidfd, select.POLLIN)
        poll.register(command.channel, select.POLLIN)
        if self._out:
            poll.register(STDOUT, select.POLLOUT)
        if len(self._out) < WINDOW:
            for fd in command.outputs:
                poll.register(fd, select.POLLIN)
        writers = {sink.box.fd: stream for stream, sink in self._sinks.items() if sink.box}
        for fd in writers:
            poll.register(fd, select.POLLOUT)
        ready = {fd for fd, _ in poll.poll()}
        if STDIN in ready:
            self._receive()
        for fd in ready & writers.keys():
            self._write(writers[fd])
        if command.channel.fileno() in ready:
            self._open_wanted()
        for fd in ready & command.outputs.keys():
            self._pass_on(fd)
        self._out.write()
        if command.pidfd in ready:
            self._over = True

    def _receive(self) -> None:
        """Raises OSError when the connection is lost."""
        data = read_available(STDIN)
        if data == b"":
            raise ConnectionResetError
        self._parser.feed(data or b"")
        for frame in self._parser.frames():
            self._take(frame)

    def _write(self, stream: int) -> None:
        sink = self._sinks.get(stream)
        if sink is None:  # its end was read in this turn, and all of it is written
            return
        before = len(sink.box)
        try:
            taken = sink.box.write()
            is_over = sink.ended and not sink.box
        except OSError:  # it has no reader any more
            taken, is_over = before, True
        if taken:
            self._out.send(TAKEN, stream, taken.to_bytes(4, "big"))
        if is_over:
            self._sinks.pop(stream).close()

    def _open_wanted(self) -> None:
        message, fds, _, _ = socket.recv_fds(self._command.channel, _LONGEST_PATH, 1)
        for fd in fds:
            self._asked += 1
            self._sinks[self._asked] = _Sink(fd)
            self._out.send(WANTED, self._asked, message)

    def _pass_on(self, fd: int) -> bool:
        """Whether there was something."""
        outputs = self._command.outputs
        data = read_available(fd)
        if data:
            self._out.send(OUTPUT, outputs[fd], data)
        elif data == b"":
            del outputs[fd]
            if fd != self._command.terminal:
                os.close(fd)
        return bool(data)

    def _finish(self) -> None:
        """What the command has written before its end, and its exit code. Raises OSError."""
        _, status = os.waitpid(self._command.pid, 0)
        for fd in list(self._command.outputs):
            while self._pass_on(fd):
                self._flush(WINDOW)
        self._out.send(EXIT, process.exit_code(status))
        self._flush(0)

    def _flush(self, most: int) -> None:
        while len(self._out) > most:
            select.select([], [STDOUT], [])
            self._out.write()

    def _hang_up(self) -> None:
        command = self._command
        command.signal(signal.SIGHUP)
        for fd in [*command.outputs]:
            command.outputs.pop(fd)
            os.close(fd)
        for sink in self._sinks.values():
            sink.close()
        command.channel.close()
        ended, _, _ = select.select([command.pidfd], [], [], _PATIENCE)
        if not ended:
            command.signal(signal.SIGKILL)
        os.waitpid(command.pid, 0)
