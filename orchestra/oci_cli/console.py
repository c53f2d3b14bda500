"""Terminals: handing a master to its keeper, or being that keeper, between it and the caller's own terminal."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from errno import EINVAL, EIO

from orchestra.linux import process, tty, unix_socket
from orchestra.linux.readiness import first_readable
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from orchestra.container.starting import StartingProcess

FORWARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCONT,
)
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
CHUNK = 65536


def open_console(path: str | None, *, terminal: bool, detached: bool) -> socket.socket | None:
    """The socket that waits for the master. Connected before anything is made."""
    if path is None:
        if terminal and detached:
            raise SystemCallError(EINVAL, "console", "", "use --console-socket for a terminal of a detached process")
        return None
    if not terminal:
        raise SystemCallError(EINVAL, "console", path, "--console-socket needs a process with a terminal")
    return unix_socket.connect(path)


def send_master(console: socket.socket, master: int) -> None:
    """One message with the descriptor, and a name as its text: every keeper of consoles understands that."""
    unix_socket.send(console, b"/dev/ptmx", (master,))
    console.close()


def await_program(program: StartingProcess) -> None:
    """Listen until it executes. SystemExit if a signal ends us first: the container may keep it from executing.

    Signals are blocked before and after. One that comes once it executes stays pending, for the program.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in ENDING:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    came: list[int] = []
    try:
        channel = program.channel.fileno()
        while True:
            # Read its messages first: it may be executing by now, and have sent the signal itself.
            if channel in first_readable([channel, reader]):
                if not program.hear():
                    return
                continue
            came += os.read(reader, 64)
            raise SystemExit(128 + came[0])
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        with contextlib.suppress(BlockingIOError):
            came += os.read(reader, 64)
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)
        for pending in came:
            os.kill(os.getpid(), pending)


def attend(pid: int, master: int) -> int:
    """Stay until our child has ended, passing on signals and, with a terminal, all input and output.

    Returns its exit code. Signals that came while they were blocked are passed on as well.
    """
    pidfd = os.pidfd_open(pid)

    def forward(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, number)

    for number in FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    if master < 0:
        status = os.waitpid(pid, 0)[1]
        return process.exit_code(status)
    with _raw_mode(), contextlib.suppress(OSError):
        _adopt_size(master)
        signal.signal(signal.SIGWINCH, lambda *_: _adopt_size(master))
        _relay(master, pidfd)
    return process.exit_code(os.waitpid(pid, 0)[1])


def _raw_mode() -> contextlib.AbstractContextManager[None]:
    return tty.RawMode(0) if os.isatty(0) else contextlib.nullcontext()


def _adopt_size(master: int) -> None:
    if os.isatty(0):
        with contextlib.suppress(OSError):
            tty.set_size(master, tty.get_size(0))


def _relay(master: int, pidfd: int) -> None:
    sources = [0, master, pidfd]
    while True:
        ready = select.select(sources, [], [])[0]
        if master in ready:
            try:
                data = os.read(master, CHUNK)
            except OSError as error:
                if error.errno != EIO:  # no one has the other side open any more
                    raise
                return
            _write_all(1, data)
        elif pidfd in ready:
            return
        if 0 in ready:
            typed = os.read(0, CHUNK)
            if typed:
                _write_all(master, typed)
            else:
                sources.remove(0)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
