"""What other processes ask of containers: create, start, signal, look, execute, delete. Synchronous, standard library
only.

Every call raises OSError: ``SystemCallError`` with call, path and hint for what went wrong in making a container or
executing in it; FileNotFoundError or ConnectionRefusedError on the socket's path when no fork server lives;
ConnectionResetError when it was killed before it answered; ProcessLookupError when the process is gone.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from errno import ENODATA

from orchestra.container import wire
from orchestra.container.directory import RUN_FILES, RUNTIME_STATE, UNFINISHED, ContainerDirectory
from orchestra.linux import process, tty, unix_socket
from orchestra.linux.inotify import IN_DELETE, IN_MOVED_TO, Inotify
from orchestra.linux.readiness import first_readable, readable
from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple
from orchestra.shim.finding import group_of
from orchestra.shim.state import Exit, State, Status, shim_alive, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


__all__ = [
    "Entering",
    "Execution",
    "Exit",
    "Started",
    "State",
    "Status",
    "create",
    "delete",
    "enter",
    "exec_",
    "kill",
    "run",
    "shim_alive",
    "start",
    "start_resolver",
    "state",
    "wait",
]


class Started(NamedTuple):
    """warnings: sentences about what this machine could not apply of the configuration."""

    pid: int
    warnings: tuple[str, ...]


def run(fork_socket: str, directory: str) -> Started:
    """Create and start in one round trip: returns once the container's program runs. The driver uses this."""
    return _request_shim(fork_socket, "run", directory)


def create(fork_socket: str, directory: str) -> Started:
    """Do everything up to the program, which waits for ``start``. By then it is known that the program exists."""
    return _request_shim(fork_socket, "create", directory)


def start(directory: str) -> Started:
    """Run the program of a created container."""
    return _request_shim(ContainerDirectory(directory).file("shim.sock"), "start", directory)


def start_resolver(fork_socket: str, order: wire.Message) -> None:
    """Start the stack's resolver: returns once it listens. order: see ``orchestra.names.process``."""
    with unix_socket.connect(fork_socket) as connection:
        wire.send(connection, {"op": wire.NAMES, **order})
        _answer(connection)


def _request_shim(path: str, operation: str, directory: str) -> Started:
    with unix_socket.connect(path) as connection:
        wire.send(connection, {"op": operation, "directory": directory})
        answer = _answer(connection)[0]
    return Started(answer["pid"], tuple(answer["warnings"]))


def _answer(connection: socket.socket) -> tuple[wire.Message, list[int]]:
    message, fds = wire.receive(connection)
    if "error" in message:
        for fd in fds:
            os.close(fd)
        raise wire.rebuild_error(message["error"])
    return message, fds


def kill(directory: str, number: int) -> None:
    """Send a signal to the container's first process. ProcessLookupError if it is not running."""
    container = ContainerDirectory(directory).load_process("state.json")
    if container is None:
        raise ProcessLookupError(f"{directory}: the container does not run")
    process.send_signal(container, number)


def wait(directory: str, seconds: float | None = None) -> Exit | None:
    """Wait until no shim looks after the container any more, or for that many seconds. Returns how its run ended.

    None if there was no run, if its end has not been recorded (yet), or if the time is up.
    """
    if shim_alive(directory):
        _await_end(directory, None, seconds)
    return state(directory).exit


def _await_end(directory: str, container: process.Process | None, seconds: float | None = None) -> None:
    """Wait until the current run is over. container: return at once if the run has another first process."""
    files = ContainerDirectory(directory)
    try:
        connection = unix_socket.connect(files.file("shim.sock"))
    except (FileNotFoundError, ConnectionRefusedError):
        # It has just gone, or is just about to record the end.
        _await(directory, lambda: False, seconds)
        return
    with connection:
        if container is None or files.load_process("state.json") == container:
            readable(connection.fileno(), seconds)


def _await(directory: str, has_come: Callable[[], bool], seconds: float | None = None) -> None:
    """Wait until that has come, no shim looks after the container any more, or the time is up.

    The kernel takes some 10 ms to close an inotify descriptor: use this only for what no socket tells.
    """
    files = ContainerDirectory(directory)
    deadline = None if seconds is None else time.monotonic() + seconds
    with Inotify() as changes:
        with suppress(FileNotFoundError):
            changes.add(directory, IN_MOVED_TO | IN_DELETE)
        while shim_alive(directory) and not has_come():
            shim = files.load_process("shim.pid")
            if shim is None:
                continue
            try:
                pidfd = process.open_pidfd(shim)
            except ProcessLookupError:
                continue
            try:
                left = None if deadline is None else deadline - time.monotonic()
                if not first_readable([changes.fileno(), pidfd], left):
                    break
            finally:
                os.close(pidfd)
            changes.read()


def delete(directory: str) -> None:
    """End whatever is left of the container and remove everything but the directory. A second call does nothing.

    After a run that ended normally there is nothing to do. Otherwise its processes are killed and waited for, its shim
    gets time to record the end, and what a killed shim left behind (cgroup, pipes) is removed.
    """
    files = ContainerDirectory(directory)
    while not files.has("exit.json") and os.path.isdir(directory):
        _end_run(files)
        if not files.has("config.json"):
            return
        group = group_of(files)
        group.kill()
        group.remove()
        files.remove_tree(RUNTIME_STATE)
        if not shim_alive(directory):  # else a run that was asked for before has just begun
            files.remove(*RUN_FILES, *UNFINISHED, "shim.pid")
            return


def _end_run(files: ContainerDirectory) -> None:
    """Kill the first process, and wait until no shim looks after the container."""
    while True:
        recorded = files.has("state.json")
        container = files.load_process("state.json") if recorded else None
        if container is not None:
            process.kill_and_wait(container)
        elif recorded:  # damaged: the group tells which process is the first
            group_of(files).kill()
        if not shim_alive(files.path):
            return
        if recorded:
            _await_end(files.path, container)
        else:
            # The container is just being made.
            _await(files.path, lambda: files.has("state.json"))


class Execution:
    """A program executed in a container. pid: as the host sees it; terminal: the master, or -1.

    The caller closes it.
    """

    def __init__(
        self, connection: socket.socket, pid: int, pidfd: int, terminal: int, warnings: tuple[str, ...]
    ) -> None:
        self.pid = pid
        self.terminal = terminal
        self.warnings = warnings
        self._connection = connection
        self._pidfd = pidfd
        self._exit_code: int | None = None

    def fileno(self) -> int:
        """Readable once the program has ended: then ``wait`` returns at once."""
        return self._connection.fileno()

    def wait(self) -> int:
        """Its exit code; 128 plus the signal's number if a signal ended it.

        ConnectionResetError if it cannot be known.
        """
        if self._exit_code is None:
            self._exit_code = int(_answer(self._connection)[0]["exit_code"])
        return self._exit_code

    def resize(self, rows: int, columns: int) -> None:
        if self.terminal < 0:
            raise SystemCallError(ENODATA, "resize", "", "the program has no terminal")
        tty.set_size(self.terminal, tty.Size(rows, columns))

    @property
    def is_stopped(self) -> bool:
        """Whether a signal or a tracer has stopped the program, so that a signal will not end it either."""
        return process.is_stopped(self.pid)

    def signal(self, number: int) -> None:
        """ProcessLookupError if it has ended."""
        signal.pidfd_send_signal(self._pidfd, number)

    def close(self) -> None:
        self._connection.close()
        for fd in (self._pidfd, self.terminal):
            if fd >= 0:
                os.close(fd)
        self._pidfd = self.terminal = -1

    def __enter__(self) -> Execution:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


class Entering:
    """An execution that has been asked for: a program on its way into a container.

    Processes of the container may keep it from ever getting there. So ``fileno`` is readable once the answer has come,
    and closing this kills the program if it is still on its way.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def fileno(self) -> int:
        return self._connection.fileno()

    def begun(self) -> Execution:
        """Wait until the program runs; raises what keeps it from running. The caller closes the execution."""
        answer, fds = _answer(self._connection)
        terminal = fds[1] if len(fds) > 1 else -1
        # A second object for the same connection: closing this one does not end the execution.
        connection = self._connection.dup()
        return Execution(connection, answer["pid"], fds[0], terminal, tuple(answer["warnings"]))

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Entering:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def enter(
    fork_socket: str,
    directory: str,
    description: Mapping[str, Any],
    stdio: Sequence[int] = (),
    *,
    tied: bool = False,
) -> Entering:
    """Ask for an execution, see ``exec_``, without waiting."""
    connection = unix_socket.connect(fork_socket)
    try:
        request = {"op": "exec", "directory": directory, "process": dict(description), "tied": tied}
        wire.send(connection, request, list(stdio))
    except BaseException:
        connection.close()
        raise
    return Entering(connection)


def exec_(
    fork_socket: str,
    directory: str,
    description: Mapping[str, Any],
    stdio: Sequence[int] = (),
    *,
    tied: bool = False,
) -> Execution:
    """Execute an OCI process object in a running container: returns once its program runs.

    stdio: three descriptors for standard input, output and error, which the caller keeps; empty if
    ``description["terminal"]``: then the master of a new terminal comes back. tied: the program is killed if this
    side closes the execution or dies.
    """
    with enter(fork_socket, directory, description, stdio, tied=tied) as entering:
        return entering.begun()
