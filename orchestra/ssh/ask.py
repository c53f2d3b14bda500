"""The side that asks: has one command run on another machine, as if it ran here."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
import sys

from orchestra.errors import Unreachable
from orchestra.linux import tty
from orchestra.named_tuple import NamedTuple
from orchestra.ssh.connection import PASSED, connected, heard_signals
from orchestra.ssh.frames import (
    CHUNK,
    EXIT,
    INPUT,
    ORDER,
    OUTPUT,
    PROTOCOL,
    SIGNAL,
    SIZE,
    STDERR,
    STDIN,
    STDOUT,
    TAKEN,
    WANTED,
    WINDOW,
    Frame,
    Garbled,
    Outbox,
    Parser,
    read_available,
)
from orchestra.ssh.order import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import subprocess
    from collections.abc import Callable
    from typing import BinaryIO

    from orchestra.ssh.address import Address
    from orchestra.ssh.order import Order

    Provide = Callable[[str], BinaryIO]

_AT_ONCE = 4096
"""Bytes that fit into a pipe that is ready for writing (PIPE_BUF, pipe(7))."""
_NOT_FOUND, _USAGE = 127, 16
_SAME_VERSION = "install the same version on both machines"


class Ends(NamedTuple):
    """Descriptors that stand for the streams of the command here."""

    input: int = STDIN
    output: int = STDOUT
    error: int = STDERR


def ask(address: Address, order: Order, version: str, ends: Ends, provide: Provide) -> int:
    """The exit code of the command. provide: opens an archive of a directory that the command is built from.

    Raises Unreachable; BrokenPipeError when the output has no reader; and what ``provide`` raises. In each case the
    command there is hung up.
    """
    with connected(address) as ssh:
        session = _Session(address, ssh, ends, provide)
        session.greet(version)
        raw = STDIN in order.terminals
        with heard_signals() as heard, tty.RawMode(ends.input) if raw else contextlib.nullcontext():
            return session.run(order, heard)


class _Source:
    """Input that the command there takes. under_way: bytes that it has not taken yet."""

    def __init__(self, fd: int, file: BinaryIO | None = None) -> None:
        self.fd = fd
        self.file = file  # kept open
        self.under_way = 0


class _Session:
    def __init__(self, address: Address, ssh: subprocess.Popen[bytes], ends: Ends, provide: Provide) -> None:
        assert ssh.stdin is not None
        assert ssh.stdout is not None
        self._address = address
        self._ssh = ssh
        self._provide = provide
        self._out = Outbox(ssh.stdin.fileno())
        self._in = ssh.stdout.fileno()
        os.set_blocking(self._in, False)
        self._parser = Parser()
        self._input = ends.input
        self._outputs = {STDOUT: ends.output, STDERR: ends.error}
        self._waiting = {stream: bytearray() for stream in (STDOUT, STDERR)}
        self._sources: dict[int, _Source] = {}
        self._code: int | None = None
        self._is_deaf = False

    def greet(self, version: str) -> None:
        """Raises Unreachable."""
        greeting = None
        while greeting is None:
            select.select([self._in], [], [])
            try:
                self._receive()
                greeting = self._parser.greeting()
            except ConnectionResetError:
                raise self._refusal(version) from None
            except Garbled:
                raise self._strangeness() from None
        if greeting.protocol != PROTOCOL or _release(greeting.version) != _release(version):
            raise Unreachable(
                f"Orchestra {version} here and Orchestra {greeting.version} on {self._address.server} do not "
                "understand each other",
                hint=_SAME_VERSION,
            )

    def run(self, order: Order, heard: socket.socket) -> int:
        """Raises Unreachable and BrokenPipeError."""
        self._out.send(ORDER, 0, encode(order))
        if order.reads:
            self._sources[STDIN] = _Source(self._input)
        try:
            self._take_frames()
            while self._code is None or any(self._waiting.values()):
                self._turn(heard, follows_size=bool(order.terminals))
        except ConnectionResetError:
            raise self._loss() from None
        except Garbled:
            raise self._strangeness() from None
        return self._code

    def _turn(self, heard: socket.socket, *, follows_size: bool) -> None:
        self._pump()
        poll = select.poll()
        poll.register(heard, select.POLLIN)
        outputs = self._outputs
        if self._code is None:
            if max(map(len, self._waiting.values())) < WINDOW:
                poll.register(self._in, select.POLLIN)
            if self._out and not self._is_deaf:
                poll.register(self._out.fd, select.POLLOUT)
            elif (source := self._sources.get(STDIN)) and source.under_way < WINDOW:
                poll.register(source.fd, select.POLLIN)
        for stream, waiting in self._waiting.items():
            if waiting:
                poll.register(outputs[stream], select.POLLOUT)
        ready = {fd for fd, _ in poll.poll()}
        if heard.fileno() in ready:
            self._pass_signals(heard.recv(CHUNK), follows_size=follows_size)
        if self._in in ready:
            self._receive()
            self._take_frames()
        source = self._sources.get(STDIN)
        if source is not None and source.fd in ready:
            self._send(STDIN, source)
        for stream, waiting in self._waiting.items():
            if waiting and outputs[stream] in ready:
                self._write(outputs[stream], waiting)
        self._flush()

    def _flush(self) -> None:
        try:
            self._out.write()
        except BrokenPipeError:  # what is still to be read says whether the command has ended or the connection
            self._is_deaf = True

    def _receive(self) -> None:
        """Raises ConnectionResetError at the end."""
        data = read_available(self._in)
        if data == b"":
            raise ConnectionResetError
        self._parser.feed(data or b"")

    def _take_frames(self) -> None:
        for frame in self._parser.frames():
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        if frame.kind == OUTPUT and frame.stream in self._waiting:
            self._waiting[frame.stream] += frame.content
        elif frame.kind == TAKEN:
            source = self._sources.get(frame.stream)
            if source is not None:
                source.under_way -= int.from_bytes(frame.content, "big")
        elif frame.kind == WANTED:
            file = self._provide(frame.content.decode(errors="surrogateescape"))
            self._sources[frame.stream] = _Source(file.fileno(), file)
        elif frame.kind == EXIT:
            self._code = frame.stream
        else:
            raise Garbled

    def _pump(self) -> None:
        """Archives are files, and so are always ready."""
        for stream, source in list(self._sources.items()):
            while source.file and stream in self._sources and source.under_way < WINDOW and len(self._out) < WINDOW:
                self._send(stream, source)

    def _send(self, stream: int, source: _Source) -> None:
        try:
            data = os.read(source.fd, CHUNK)
        except OSError:  # the terminal is gone
            data = b""
        source.under_way += len(data)
        self._out.send(INPUT, stream, data)
        if not data:
            del self._sources[stream]
            if source.file is not None:
                source.file.close()

    def _write(self, fd: int, waiting: bytearray) -> None:
        """Raises BrokenPipeError."""
        most = len(waiting) if stat.S_ISREG(os.fstat(fd).st_mode) else _AT_ONCE
        del waiting[: os.write(fd, waiting[:most])]

    def _pass_signals(self, numbers: bytes, *, follows_size: bool) -> None:
        for number in numbers:
            if number in PASSED:
                self._out.send(SIGNAL, number)
            elif number == signal.SIGWINCH and follows_size:
                rows, columns = terminal_size()
                self._out.send(SIZE, rows << 16 | columns)

    def _refusal(self, version: str) -> Unreachable:
        """Why nothing has answered."""
        server, code = self._address.server, self._ssh.wait()
        if code == _NOT_FOUND:
            return Unreachable(
                f"there is no orchestra on {server}, or not where its shell looks for programs",
                hint=f"install Orchestra {version} there, as its README says: sudo pipx install, with "
                "PIPX_BIN_DIR=/usr/local/bin",
            )
        if code == _USAGE:
            return Unreachable(
                f"the Orchestra on {server} is too old to be asked by Orchestra {version}",
                hint=_SAME_VERSION,
            )
        return Unreachable(
            f"no connection to {server}: ssh has ended with exit code {code}",
            hint=f"ssh {self._address.url} must work without Orchestra first",
        )

    def _strangeness(self) -> Unreachable:
        return Unreachable(
            f"{self._address.server} answers with something else than Orchestra does",
            hint=f"look at what ssh {self._address.url} orchestra version prints",
        )

    def _loss(self) -> Unreachable:
        return Unreachable(
            f"the connection to {self._address.server} was lost, and the command there ends with it",
            hint="what it had asked for goes on, as if its terminal had been closed: look with ps",
        )


def _release(version: str) -> list[str]:
    """Within one, command lines and files mean the same."""
    return version.split(".")[:2]


def terminal_size() -> tty.Size:
    """Of the first of our streams that is a terminal; zeros if none is."""
    for stream in (sys.stdout, sys.stderr, sys.stdin):
        with contextlib.suppress(OSError, ValueError):
            return tty.get_size(stream.fileno())
    return tty.Size(0, 0)
