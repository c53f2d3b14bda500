"""The command that runs for another machine, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import sys
from io import TextIOWrapper
from typing import NoReturn

from orchestra.linux import process, tty
from orchestra.ssh.caller import set_caller
from orchestra.ssh.calling import Caller
from orchestra.ssh.frames import STDERR, STDIN, STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.ssh.order import Order

    Run = Callable[[Sequence[str]], int]

_STREAMS = (STDIN, STDOUT, STDERR)


class Command:
    """The process and our ends of its streams. terminal: the master of its terminal, -1 without one.

    stdin: -1 if it is the terminal. outputs: stream by descriptor.
    """

    def __init__(self, pid: int, terminal: int, stdin: int, outputs: dict[int, int], channel: socket.socket) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.terminal = terminal
        self.stdin = stdin
        self.outputs = outputs
        self.channel = channel

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def start(order: Order, run: Run) -> Command:
    """The command in a session of its own: what it starts in the foreground gets its signals, too."""
    terminal, slave = pty.openpty() if order.terminals else (-1, -1)
    if terminal >= 0 and order.rows:
        tty.set_size(terminal, tty.Size(order.rows, order.columns))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    given: dict[int, int] = {}
    kept: dict[int, int] = {}
    for stream in _STREAMS:
        if stream in order.terminals:
            given[stream] = slave
        elif stream == STDIN and not order.reads:
            given[stream] = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        else:
            reading, writing = os.pipe()
            given[stream], kept[stream] = (reading, writing) if stream == STDIN else (writing, reading)
    pid = os.fork()
    if pid == 0:
        _become(order, run, given, theirs, slave)
    for fd in {*given.values()}:
        os.close(fd)
    theirs.close()
    outputs = {fd: stream for stream, fd in kept.items() if stream != STDIN}
    if terminal >= 0:
        outputs[terminal] = STDOUT if STDOUT in order.terminals else STDERR
    return Command(pid, terminal, kept.get(STDIN, -1), outputs, ours)


def _become(order: Order, run: Run, given: dict[int, int], channel: socket.socket, slave: int) -> NoReturn:
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    process.prctl(process.PR_SET_PDEATHSIG, signal.SIGHUP)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if slave >= 0:
        tty.take_control(slave)
    held = [os.dup(given[number]) for number in _STREAMS]
    for number, fd in zip(_STREAMS, held, strict=True):
        os.dup2(fd, number)
    process.close_all_except([channel.fileno()])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=stream is sys.stderr or stream.isatty())
    os.environ.update(order.display)
    os.environ["COMPOSE_DISABLE_ENV_FILE"] = "1"  # its variables were applied where the command was given
    with contextlib.suppress(OSError):
        os.chdir("/")
    set_caller(Caller(order, channel))
    raise SystemExit(run(order.words))
