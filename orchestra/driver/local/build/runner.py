"""Begins the commands of steps, each in a fork of one process that is started for the first of them."""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

    from orchestra.home import Home

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run_process.py")


class Runner:
    """That of one builder. Safe across threads."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def close(self) -> None:
        """When all commands have ended."""
        with self._lock:
            self._end()

    def begin(self, directory: str, streams: Sequence[int]) -> socket.socket:
        """The socket to the process of one command: ``run_process`` says what is sent there.

        directory: of the bundle. streams: descriptors of standard input, output and error. Raises OSError.
        """
        from orchestra.container import wire

        ours, theirs = socket.socketpair()
        with self._lock, theirs:
            given = [*streams, theirs.fileno()]
            try:
                wire.send(self._opened(), {"directory": directory}, given)
            except (BrokenPipeError, ConnectionResetError):
                # It was killed: for lack of memory, perhaps.
                self._end()
                wire.send(self._opened(), {"directory": directory}, given)
            return ours

    def _opened(self) -> socket.socket:
        if self._requests is None:
            self._process, self._requests = _start(self._home)
        return self._requests

    def _end(self) -> None:
        if self._requests is not None and self._process is not None:
            self._requests.close()
            self._process.wait()
        self._process = self._requests = None


def _start(home: Home) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Its command line tells for which home it works."""
    import subprocess

    from orchestra.linux.mounts import mount_tree

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # A file that cannot be written to: /proc/PID/exe of a command's first moments leads there.
    interpreter = mount_tree.read_only_file(sys.executable)
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", PROGRAM, home.run],
            executable=f"/proc/self/fd/{interpreter}",
            stdin=theirs.fileno(),
            pass_fds=(interpreter,),
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(interpreter)
    return process, ours
