"""The ssh program that leads to the other machine, and the signals that are passed on to there."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess

from orchestra.errors import Unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from orchestra.ssh.address import Address

PASSED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_PATIENCE = 2.0
"""Seconds that ssh has to end after the command."""


@contextlib.contextmanager
def connected(address: Address) -> Iterator[subprocess.Popen[bytes]]:
    # Signals from the keyboard are for the command there: ssh leaves those alone that it finds ignored.
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        ssh = subprocess.Popen(address.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    except FileNotFoundError as error:
        raise Unreachable("there is no ssh on this machine", hint="install OpenSSH's client") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    with ssh:
        try:
            yield ssh
        except BaseException:
            ssh.terminate()
            raise
        finally:
            assert ssh.stdin is not None
            ssh.stdin.close()
            try:
                ssh.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                ssh.kill()


@contextlib.contextmanager
def heard_signals() -> Iterator[socket.socket]:
    """A socket from which the numbers of signals are read, instead of what they would do."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    reading.setblocking(False)
    handlers = {number: signal.signal(number, _hear) for number in (*PASSED, signal.SIGWINCH)}
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        reading.close()
        writing.close()


def _hear(_number: int, _frame: FrameType | None) -> None:
    """Its number is written to the socket."""
