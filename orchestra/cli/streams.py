"""A program in a container on this process's streams: on pipes or on a terminal. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from orchestra.cli.relay import Direction, Signals, open_output, open_pipe, relay
from orchestra.errors import UserError
from orchestra.linux import tty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.cluster.program import Program
    from orchestra.stacks.exec import Execution

    Running = Execution | Program
    """A program in a container of this machine, or of a cluster."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
INTERRUPT = b"\3"
PASSED_ON = (*ENDING, signal.SIGUSR1, signal.SIGUSR2)


def run_on_pipes(execute: Callable[[Sequence[int], Signals], Running], owner: int) -> int:
    """Pass signals on, since there is no terminal in the container that would generate them."""
    pipes = [open_pipe(owner) for _ in range(3)]
    theirs = (pipes[0][0], pipes[1][1], pipes[2][1])
    stdin, stdout, stderr = pipes[0][1], pipes[1][0], pipes[2][0]
    for fd in (stdin, stdout, stderr):
        os.set_blocking(fd, False)
    with Signals(*PASSED_ON) as signals, execute(theirs, signals) as execution:
        for fd in theirs:
            os.close(fd)
        sys.stdout.flush()
        sys.stderr.flush()
        outward = [
            Direction(stdout, open_output(1), owned=[stdout]),
            Direction(stderr, open_output(2), owned=[stderr]),
        ]
        code = relay(execution, Direction(0, stdin, owned=[stdin]), outward, signals, _Passing(execution))
    for name, direction in zip(("output", "error"), outward, strict=True):
        if direction.failure is not None:
            raise UserError(f"the program's standard {name} is incomplete: {direction.failure.strerror}")
    return code


class _Passing:
    """Passes signals on to the program. If a signal that should end the program has no effect, it ends this command.

    A signal has no effect if the program is stopped, which any process of the container may have done, or if it is the
    second of its kind.
    """

    def __init__(self, execution: Running) -> None:
        self._execution = execution
        self._passed: set[int] = set()

    def __call__(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            self._execution.signal(number)
        if number in ENDING and (number in self._passed or self._execution.is_stopped):
            raise SystemExit(128 + number)
        self._passed.add(number)


def run_on_terminal(execute: Callable[[Sequence[int], Signals], Running]) -> int:
    """Send every key to the terminal in the container, which turns some of them into signals."""
    with Signals(signal.SIGWINCH, *ENDING) as signals, execute((), signals) as execution:
        master = os.dup(execution.terminal)
        os.set_blocking(master, False)

        def take(number: int) -> None:
            if number != signal.SIGWINCH:
                raise SystemExit(128 + number)  # the program is tied to this process and ends too
            execution.resize(*tty.get_size(0))

        sys.stdout.flush()
        with tty.RawMode(0):
            take(signal.SIGWINCH)
            outward = Direction(master, open_output(1), owned=[])
            return relay(execution, _Keyboard(0, master, execution), [outward], signals, take)


class _Keyboard(Direction):
    """Keyboard input. Ctrl-C sends no signal to this process, and one without effect to a stopped program."""

    def __init__(self, source: int, target: int, execution: Running) -> None:
        super().__init__(source, target, owned=[])
        self._execution = execution

    def read(self) -> None:
        super().read()
        if INTERRUPT in bytes(self.waiting) and self._execution.is_stopped:
            raise SystemExit(128 + signal.SIGINT)
