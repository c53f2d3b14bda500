"""A command in a container, run to its end, with its input and output in memory."""

from __future__ import annotations

import os
import select
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from orchestra.linux.readiness import first_readable
from orchestra.named_tuple import NamedTuple
from orchestra.stacks.exec import find_target

if TYPE_CHECKING:
    from orchestra.shim.client import Entering, Execution
    from orchestra.stacks.context import Context
    from orchestra.stacks.exec import ExecOptions

CHUNK = 1 << 16


class ExecResult(NamedTuple):
    """How a command ended. ``exit_code``: 128 plus the signal's number if a signal ended it."""

    exit_code: int
    stdout: str
    stderr: str


class Limit:
    """When to give up. seconds: None for never. stop: a descriptor that is then readable; -1 for none."""

    def __init__(self, command: str, seconds: float | None, stop: int) -> None:
        self._command = command
        self._seconds = seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self.stop = stop

    def left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def wait_for_begin(self, entering: Entering) -> None:
        stops = [self.stop] if self.stop >= 0 else []
        if entering.fileno() not in first_readable([entering.fileno(), *stops], self.left()):
            raise self.passed()

    def passed(self) -> TimeoutError:
        return TimeoutError(f"{self._command} did not end within {self._seconds} s")


def run_program(
    context: Context, options: ExecOptions, given: bytes, seconds: float | None, stop: int = -1
) -> ExecResult:
    """given: its standard input. Raises TimeoutError after killing it, and what ``find_target`` raises."""
    limit = Limit(f"{options.command[0]} in {options.service}", seconds, stop)
    target = find_target(context, options)
    with ExitStack() as ends:
        pipes = [_Pipe(target.owner) for _ in range(3)]
        for pipe in pipes:
            ends.callback(pipe.close)
        stdin, stdout, stderr = pipes
        theirs = (stdin.reader, stdout.writer, stderr.writer)
        with target.execute(theirs, limit.wait_for_begin) as execution:
            os.set_blocking(stdin.writer, False)
            stdin.close_reader()
            stdout.close_writer()
            stderr.close_writer()
            code = _converse(execution, memoryview(given), stdin, (stdout, stderr), limit)
        return ExecResult(code, stdout.text(), stderr.text())


def _converse(execution: Execution, given: memoryview, stdin: _Pipe, outputs: tuple[_Pipe, _Pipe], limit: Limit) -> int:
    """Feed and listen until the program has ended: what it left behind in the background may keep the pipes open."""
    while True:
        if not given:
            stdin.close_writer()
        poll = select.poll()
        poll.register(execution, select.POLLIN)
        if limit.stop >= 0:
            poll.register(limit.stop, select.POLLIN)
        if stdin.writer >= 0:
            poll.register(stdin.writer, select.POLLOUT)
        for pipe in outputs:
            if pipe.reader >= 0:
                poll.register(pipe.reader, select.POLLIN)
        left = limit.left()
        ready = {fd for fd, _events in poll.poll(None if left is None else left * 1000)}
        if limit.stop in ready or not ready:
            raise limit.passed()  # closing the execution kills the program
        if stdin.writer in ready:
            try:
                given = given[os.write(stdin.writer, given[:CHUNK]) :]
            except BrokenPipeError:
                given = given[:0]
            except BlockingIOError:
                pass
        for pipe in outputs:
            if pipe.reader in ready:
                pipe.read()
        if execution.fileno() in ready:
            for pipe in outputs:
                pipe.drain()
            return execution.wait()


class _Pipe:
    """owner: the user who may open it again through /dev/stdout."""

    def __init__(self, owner: int) -> None:
        self.reader, self.writer = os.pipe2(os.O_CLOEXEC)
        self._data = bytearray()
        os.fchown(self.reader, owner, -1)

    def text(self) -> str:
        return self._data.decode(errors="replace")

    def read(self) -> None:
        """Take what is there, or close it at its end."""
        data = os.read(self.reader, CHUNK)
        self._data += data
        if not data:
            self.close_reader()

    def drain(self) -> None:
        """Take what the program has left in it, which one read can hold (pipe(7)); others may still be writing."""
        if self.reader >= 0 and first_readable([self.reader], 0.0):
            self.read()

    def close_reader(self) -> None:
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1

    def close_writer(self) -> None:
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        self.close_reader()
        self.close_writer()
