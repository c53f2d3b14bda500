"""This command's own streams and those of a container that it is attached to. Standard library only.

Output is taken in only as fast as it is passed on, and input is read only as fast as the container takes it.
"""

from __future__ import annotations

import contextlib
import select
import signal
import sys

from orchestra.cli.relay import Direction, Signals, open_output
from orchestra.errors import UserError
from orchestra.linux import tty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from orchestra.stacks.detach_keys import DetachKeys

    class Attachment(Protocol):
        """``orchestra.shim.attachment.Attachment``."""

        terminal: int
        over: bool

        def fileno(self) -> int: ...

        def read(self) -> Iterator[tuple[int, bytes]]: ...

        def render_input(self, data: bytes) -> bytes: ...

        def resize(self, size: tty.Size) -> None: ...

        def signal(self, number: int) -> None: ...


STDOUT, STDERR = 1, 2
NAMES = {STDOUT: "output", STDERR: "error"}
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
HEARD = (*ENDING, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)
NO_READER = 128 + signal.SIGPIPE
_TROUBLE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Detached(Exception):
    """The keys for it have been typed."""


class Streams:
    """Ours, for as long as a container runs. keys: that detach, from a terminal; None for none.

    passes: signals go to the first process; the second of a kind that ends programs kills it.
    """

    def __init__(self, signals: Signals, *, stdin: bool, passes: bool = True, keys: DetachKeys | None = None) -> None:
        self._signals = signals
        self._stdin = stdin
        self._passes = passes
        self._keys = keys
        self._passed: set[int] = set()
        self._outputs = {number: Direction(-1, open_output(number), owned=[]) for number in NAMES}

    def relay(self, attachment: Attachment) -> None:
        """Until nothing more comes. Raises Detached; SystemExit when the output has no reader, or to be ended;
        UserError when it cannot be written. The container goes on in each case.
        """
        inward = _Inward(attachment, self._keys if attachment.terminal >= 0 else None) if self._stdin else None
        sys.stdout.flush()
        sys.stderr.flush()
        raw = attachment.terminal >= 0 and inward is not None and sys.stdin.isatty()
        with tty.RawMode(0) if raw else contextlib.nullcontext():
            if attachment.terminal >= 0:
                self._resize(attachment)
            while not attachment.over or self._waiting():
                self._turn(attachment, inward)

    def take(self, attachment: Attachment, number: int) -> None:
        """A signal that has come."""
        if number == signal.SIGWINCH:
            if attachment.terminal >= 0:
                self._resize(attachment)
            return
        if not self._passes:
            raise SystemExit(128 + number)
        kills = number in ENDING and number in self._passed
        self._passed.add(number)
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            attachment.signal(signal.SIGKILL if kills else number)

    def _waiting(self) -> list[int]:
        return [number for number, output in self._outputs.items() if output.waiting]

    def _turn(self, attachment: Attachment, inward: _Inward | None) -> None:
        wanted = {self._signals.fileno(): select.POLLIN}
        waiting = self._waiting()
        for number in waiting:
            wanted[self._outputs[number].target] = select.POLLOUT
        if not waiting:
            wanted[attachment.fileno()] = select.POLLIN
        if inward is not None and not inward.over and not attachment.over:
            fd = inward.target if inward.waiting else inward.source
            wanted[fd] = wanted.get(fd, 0) | (select.POLLOUT if inward.waiting else select.POLLIN)
        poll = select.poll()
        for fd, events in wanted.items():
            poll.register(fd, events)
        ready = dict(poll.poll())
        if self._signals.fileno() in ready:
            for number in self._signals.read():
                self.take(attachment, number)
        for number in waiting:
            if self._outputs[number].target in ready:
                self._write(number)
        if inward is not None and not inward.over:
            if inward.waiting:
                if ready.get(inward.target, 0) & (select.POLLOUT | _TROUBLE):
                    inward.write()
            elif ready.get(inward.source, 0) & select.POLLNVAL:
                inward.end_input()
            elif inward.source in ready:
                inward.read()
        if not waiting and ready.get(attachment.fileno(), 0) & (select.POLLIN | _TROUBLE):
            self._read(attachment)

    def _read(self, attachment: Attachment) -> None:
        taken = {number: bytearray() for number in NAMES}
        for number, data in attachment.read():
            taken[number] += data
        for number, content in taken.items():
            self._outputs[number].waiting = memoryview(bytes(content))

    def _write(self, number: int) -> None:
        output = self._outputs[number]
        output.write()
        if output.failure is not None:
            raise UserError(f"the container's standard {NAMES[number]} is incomplete: {output.failure.strerror}")
        if output.over:
            raise SystemExit(NO_READER)

    @staticmethod
    def _resize(attachment: Attachment) -> None:
        """As our terminal, wherever it is; a program without one has the size that it had."""
        for fd in (0, STDOUT):
            with contextlib.suppress(OSError):
                size = tty.get_size(fd)
                if 0 not in size:
                    attachment.resize(size)
                    return


class _Inward(Direction):
    """What is typed, or read from a file or a pipe."""

    def __init__(self, attachment: Attachment, keys: DetachKeys | None) -> None:
        super().__init__(0, attachment.fileno(), owned=[])
        self._render = attachment.render_input
        self._keys = keys
        self._ends = False

    def read(self) -> None:
        super().read()
        if self.over:
            self.end_input()
        elif self.waiting:
            typed = bytes(self.waiting) if self._keys is None else self._keys.passed(bytes(self.waiting))
            self.waiting = memoryview(self._render(typed) if typed else b"")
        if self._keys is not None and self._keys.are_typed:
            raise Detached

    def write(self) -> None:
        super().write()
        if self._ends and not self.waiting:
            self.over = True

    def end_input(self) -> None:
        """Tell the container; then it is over."""
        self.over, self._ends = False, True
        self.waiting = memoryview(self._render(b""))


def await_one(signals: Signals, *others: object, take: Callable[[int], None]) -> None:
    """Until one of the others is readable; ``take`` is given each signal that comes before."""
    poll = select.poll()
    for each in (signals, *others):
        poll.register(each, select.POLLIN)  # type: ignore[arg-type]  # each has a fileno
    while True:
        ready = {fd for fd, _events in poll.poll()}
        for number in signals.read():
            take(number)
        if ready - {signals.fileno()}:
            return
