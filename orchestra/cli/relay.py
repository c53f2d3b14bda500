"""Copies bytes between this process's streams and those of a program in a container. Standard library only.

The container never gets this process's descriptors: with a terminal or file of the host it could do more than I/O.
No stream blocks another one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import stat
from errno import EIO, EPIPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType
    from typing import Protocol

    class Program(Protocol):
        """``orchestra.shim.client.Execution``."""

        def fileno(self) -> int: ...

        def wait(self) -> int: ...


CHUNK = 1 << 16
PIPE_SIZE = 1 << 20
SMALL = 4096
"""Bytes that a pipe or terminal that polls as writable accepts without blocking (PIPE_BUF, pipe(7))."""

_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR
_WRITABLE = select.POLLOUT | select.POLLHUP | select.POLLERR
_GONE = select.POLLNVAL


class Signals:
    """Makes signals readable as numbers: ``fileno`` is readable once one has arrived. Use ``with``."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers
        self._before: dict[int, object] = {}

    def __enter__(self) -> Signals:
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in self._numbers:
            self._before[number] = signal.signal(number, _note)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]  # what signal() itself gave
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        return self._reader

    def read(self) -> list[int]:
        with contextlib.suppress(BlockingIOError):
            return [number for number in os.read(self._reader, SMALL) if number in self._numbers]
        return []


def _note(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: having a handler makes the interpreter write the number to the wake-up descriptor."""


class Direction:
    """Copies from one descriptor to another. owned: the ends to close when nothing more can be copied."""

    def __init__(self, source: int, target: int, *, owned: Sequence[int]) -> None:
        self.source = source
        self.target = target
        self.over = False
        self.failure: OSError | None = None  # the error that stopped writing, unless the reader is gone
        self.waiting = memoryview(b"")
        self._owned = owned
        self._most = CHUNK if not os.get_blocking(target) or _is_file(target) else SMALL

    def read(self) -> None:
        """Read available data; end of file, or a terminal whose other side is closed (EIO, pts(4)), is the end."""
        try:
            data = os.read(self.source, CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != EIO:
                raise
            data = b""
        self.waiting = memoryview(data)
        if not data:
            self.end()

    def write(self) -> None:
        try:
            count = os.write(self.target, self.waiting[: self._most])
        except BlockingIOError:
            return
        except OSError as error:
            # EPIPE: the reader is gone. Closing lets the writer on the other side notice it the same way.
            if error.errno != EPIPE:
                self.failure = error
            self.end()
            return
        self.waiting = self.waiting[count:]

    def drain(self) -> None:
        """Pass on data that has already arrived, without waiting for more."""
        for _ in range(2 * PIPE_SIZE // SMALL):
            while self.waiting and not self.over:
                poll = select.poll()
                poll.register(self.target, select.POLLOUT)
                poll.poll()
                self.write()
            if self.over:
                return
            self.read()
            if not self.waiting:
                return

    def end(self) -> None:
        if not self.over:
            self.over = True
            self.waiting = memoryview(b"")
            for fd in self._owned:
                os.close(fd)


def relay(
    program: Program, inward: Direction, outward: Sequence[Direction], signals: Signals, take: Callable[[int], None]
) -> int:
    """Return the program's exit code when it has ended and its output is passed on. take: called with each signal."""
    while True:
        wanted: dict[int, int] = {program.fileno(): select.POLLIN, signals.fileno(): select.POLLIN}
        for direction in (inward, *outward):
            if not direction.over:
                fd = direction.target if direction.waiting else direction.source
                wanted[fd] = wanted.get(fd, 0) | (select.POLLOUT if direction.waiting else select.POLLIN)
        poll = select.poll()
        for fd, events in wanted.items():
            poll.register(fd, events)
        ready = dict(poll.poll())
        if signals.fileno() in ready:
            for number in signals.read():
                take(number)
        for direction in (inward, *outward):
            if direction.over:
                continue
            if direction.waiting:
                if ready.get(direction.target, 0) & (_WRITABLE | _GONE):
                    direction.write()
            elif ready.get(direction.source, 0) & _GONE:
                direction.end()
            elif ready.get(direction.source, 0) & _READABLE:
                direction.read()
        if program.fileno() in ready:
            code = program.wait()
            for direction in outward:
                direction.drain()
            return code


def open_pipe(owner: int) -> tuple[int, int]:
    """Both ends of a pipe with a large buffer. owner: the user who may open it again through /dev/stdout."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # at this user's limit the buffer keeps its size
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    os.fchown(reader, owner, -1)
    return reader, writer


def open_output(fd: int) -> int:
    """Open ``fd`` again for writing without blocking; its own flags stay, since other processes share them."""
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        with contextlib.suppress(OSError):
            return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.dup(fd)


def _is_file(fd: int) -> bool:
    return stat.S_ISREG(os.fstat(fd).st_mode)
