"""Starting a stack's fork server, unless one is alive."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys

from orchestra.container import wire
from orchestra.errors import TemporaryError
from orchestra.home import find_home, is_rootless
from orchestra.linux import private_files, unix_socket
from orchestra.linux.mounts import mount_tree
from orchestra.shim.__main__ import LAUNCH_FD, LOCK_FD, READY_FD

SIGNALS = [number for number in range(1, 65) if number not in (9, 19, 32, 33)]
"""All but SIGKILL and SIGSTOP, and libc's own two. Containers would inherit the signals that nohup(1) ignores."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.home import StackHome


def launch(stack_home: StackHome, supervisor_argv: list[str]) -> None:
    """Returns when ``control.sock`` and ``fork.sock`` of the stack accept connections.

    Two locks: ``launch.lock`` is held by a launcher while it works and by the fork server until it listens,
    ``fork.lock`` by a fork server as long as it lives.
    The fork server starts the supervisor, with the environment of the first launch, and the places that this process
    imports from; ``supervisor_argv[0]`` is the absolute path of a file of Python. Raises OSError, or TemporaryError if
    the fork server could not start.
    """
    while not _is_launched(stack_home, supervisor_argv):
        pass  # the stack's directory was removed under the fork server that started


def _is_launched(stack_home: StackHome, supervisor_argv: list[str]) -> bool:
    private_files.make_directories(stack_home.containers)
    private_files.make_directories(stack_home.data)
    launch_lock, fork_lock = stack_home.launch_lock, stack_home.fork_lock
    with contextlib.ExitStack() as opened:
        lock = -1
        try:
            launching = _open_lock(launch_lock)
            opened.callback(os.close, launching)
            fcntl.flock(launching, fcntl.LOCK_EX)
            lock = _open_lock(fork_lock)
            opened.callback(os.close, lock)
            if _take(lock, stack_home):
                _start(stack_home, supervisor_argv, lock, launching)
        except (FileNotFoundError, TemporaryError):
            if lock >= 0 and _is_file(lock, fork_lock):
                raise
            return False
        return True


def _is_file(descriptor: int, path: str) -> bool:
    """Whether the path still leads to the file that is open."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def fork_server_of(stack_home: StackHome) -> int | None:
    """The pid of the process that listens for the stack's requests for processes."""
    try:
        with unix_socket.connect(stack_home.fork_socket) as connection:
            return unix_socket.listener_of(connection)
    except (FileNotFoundError, ConnectionRefusedError):
        return None


def is_running(stack_home: StackHome) -> bool:
    """Whether a fork server of the stack is alive."""
    return is_locked(stack_home.fork_lock)


def is_locked(path: str) -> bool:
    """Whether a process holds the lock. False if there is no file."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _open_lock(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(lock: int, stack_home: StackHome) -> bool:
    """Whether the lock is ours now, so that a fork server must be started."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        pass
    try:
        # The holder of the lock is listening already, since no other process is launching now, or is about to end.
        # The lock and the socket of a killed holder can outlast it for a moment, so only an answer proves it alive.
        with unix_socket.connect(stack_home.fork_socket) as connection:
            wire.send(connection, {"op": wire.PING})
            wire.receive(connection)
        return False
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
        fcntl.flock(lock, fcntl.LOCK_EX)
        return True


def _start(stack_home: StackHome, supervisor_argv: list[str], lock: int, launching: int) -> None:
    rootless = find_home(os.environ, os.getuid()).rootless if is_rootless(os.environ) else ""
    paths = _paths()
    order = json.dumps({"run": stack_home.run, "supervisor": supervisor_argv, "paths": paths, "rootless": rootless})
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
    reader, writer = os.pipe2(os.O_CLOEXEC)
    # Above their final numbers, so that no dup2 overwrites what the next one needs.
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (lock, writer, launching)]
    os.close(writer)
    interpreter = _open_interpreter()
    try:
        pid = _spawner()(
            f"/proc/self/fd/{interpreter}" if interpreter >= 0 else sys.executable,
            [sys.executable, "-I", "-S", program, order],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, stack_home.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_DUP2, high[0], LOCK_FD),
                (os.POSIX_SPAWN_DUP2, high[1], READY_FD),
                (os.POSIX_SPAWN_DUP2, high[2], LAUNCH_FD),
            ],
            setsid=True,
            setsigdef=SIGNALS,
        )
    finally:
        for fd in (*high, interpreter):
            if fd >= 0:
                os.close(fd)
    os.waitpid(pid, 0)
    try:
        if not os.read(reader, 1):
            raise TemporaryError(
                "the fork server could not start", hint=f"see the end of {stack_home.supervisor_log} for the reason"
            )
    finally:
        os.close(reader)


def _spawner() -> Callable[..., int]:
    """posix_spawn(3), always in the host's network: that is where containers with ``network_mode: host`` are forked."""
    if not is_rootless(os.environ):
        return os.posix_spawn
    from orchestra.rootless.host_network import in_host_network

    return lambda *words, **named: in_host_network(os.posix_spawn, *words, **named)


def _paths() -> list[str]:
    """Where modules are found, but not in the working directory, or that of the script."""
    return sys.path if sys.flags.safe_path else sys.path[1:]


def _open_interpreter() -> int:
    """Open the interpreter on a read-only mount of its own: /proc/PID/exe of what the fork server forks leads there.

    A program of a container that executes /proc/self/exe, or gets hold of it otherwise, cannot write to the
    interpreter on the host. -1 if this process may not mount: then it cannot make containers either.
    """
    try:
        return mount_tree.read_only_file(sys.executable)
    except OSError:
        return -1
