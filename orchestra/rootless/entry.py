"""A command of a user without root enters the namespaces of the home; the first one has them made."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import socket
import sys
from errno import EINVAL, ENOENT

from orchestra.errors import EnvironmentLack
from orchestra.home import OWNER
from orchestra.linux import namespaces, private_files, process, unix_socket, user_namespace
from orchestra.linux.syscall import SystemCallError
from orchestra.rootless import processes
from orchestra.rootless.host_network import in_host_network, leave
from orchestra.rootless.ids import find_ids
from orchestra.rootless.places import Places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from orchestra.home import Home

GO = b"go"
CHANNEL = 3
MESSAGE_MAX = 1 << 16
ALONE = "containers have no user but root, since {}: what images give to other users belongs to root"

_held: list[int] = []


def enter(home: Home) -> None:
    """Join the namespaces of the home; they are made if there are none.

    From here on this process is root, and its other network is the home's. What is missing on this machine is told on
    standard error by the command that has the namespaces made. Raises EnvironmentLack.
    """
    places = Places(home)
    try:
        private_files.make_directories(places.directory)
        with _locked(places.launch_lock):
            _hold(places)
            if not _join_living(home, places):
                _join(_start(places))
        _work_in(places)
    except OSError as error:
        raise _lack(error) from error


def enter_if_there(home: Home) -> None:
    """The same, if a stack or another command of the home needs the namespaces already; otherwise do nothing."""
    places = Places(home)
    try:
        with _locked(places.launch_lock):
            _hold(places)
            if not _join_living(home, places):
                return
        _work_in(places)
    except (FileNotFoundError, PermissionError):
        return  # there is none, or it is not for this user: what the command reads next says so
    except OSError as error:
        raise _lack(error) from error


def revive(home: Home) -> int:
    """For a process in the namespaces: a pidfd of the keeper, which is started again if it was killed.

    Raises OSError. The caller closes it.
    """
    places = Places(home)
    private_files.make_directories(places.directory)
    with _locked(places.launch_lock):
        keeper = places.load_keeper() or in_host_network(_start, places, fresh=False)
        return process.open_pidfd(keeper)


def _lack(error: OSError) -> EnvironmentLack:
    """A process with several threads cannot join a user namespace (setns(2))."""
    if error.errno == EINVAL and getattr(error, "call", "") == "setns":
        hint = "without root, use Orchestra before the program starts threads, or by its command"
        return EnvironmentLack("this process has several threads, so it cannot enter the home's namespaces", hint=hint)
    hint = "orchestra doctor says what containers without root need; with sudo they run as root"
    return EnvironmentLack(f"this user cannot make containers: {error}", hint=hint)


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _hold(places: Places) -> None:
    """Keep the keeper for as long as this process lives: the descriptor is never closed."""
    lock = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    _held[:] = [lock]


def hold_over_exec() -> None:
    """After ``enter``: keep the keeper for as long as the program that this process becomes, and what it starts."""
    os.set_inheritable(_held[0], True)


def _join_living(home: Home, places: Places) -> bool:
    """Join the keeper. If it was killed, join a process that its stacks have left, and start another keeper."""
    keeper = places.load_keeper()
    if keeper is not None:
        with contextlib.suppress(ProcessLookupError):
            _join(keeper)
            return True
    for survivor in _survivors(home):
        with contextlib.suppress(OSError):
            _join(survivor)
            _start(places, fresh=False)
            return True
    return False


def _survivors(home: Home) -> Iterator[process.Process]:
    """Fork servers of the home that live, or others of ours. They are in its mount namespace, other than containers."""
    with contextlib.suppress(FileNotFoundError):
        for stack in sorted(os.listdir(home.stacks_run)):
            with contextlib.suppress(OSError), unix_socket.connect(home.stack(stack).fork_socket) as connection:
                yield process.identify(unix_socket.listener_of(connection))
    yield from processes.started_for(home.rootless)  # the fork server was killed too, or the run directory removed


def _join(keeper: process.Process) -> None:
    owner, here = os.getuid(), os.getcwd()
    pidfd = process.open_pidfd(keeper)
    try:
        namespaces.setns(pidfd, namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNS, about="the home's namespaces")
    finally:
        os.close(pidfd)
    with contextlib.suppress(OSError):  # the directory was mounted where the home's mounts do not reach
        os.chdir(here)
    os.environ[OWNER] = str(owner)


def _work_in(places: Places) -> None:
    """The network of the home, once this process may mount and see what is mounted there."""
    leave(places.network)


def _start(places: Places, *, fresh: bool = True) -> process.Process:
    """Start a keeper, which makes the namespaces unless this process is in them already. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
    uid = int(os.environ.get(OWNER, os.getuid()))
    homes = {"directory": places.directory, "stacks": places.stacks, "snapshots": places.snapshots}
    order = json.dumps({**homes, "uid": uid, "fresh": fresh})
    private_files.make_directories(places.directory)
    high = fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD_CLOEXEC, 10)
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", program, order],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, places.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_DUP2, high, CHANNEL),
            ],
            setsid=True,
            setsigmask=(),
        )
    finally:
        os.close(high)
        theirs.close()
    with ours:
        lacking: list[str] = []
        if fresh:
            _hear(ours)
            lacking += _write_maps(pid)
            ours.send(GO)
        lacking += _hear(ours)["lacking"]
    for sentence in lacking:
        print(f"warning: {sentence}", file=sys.stderr)
    return process.identify(pid)


def _hear(channel: socket.socket) -> dict[str, Any]:
    data = channel.recv(MESSAGE_MAX)
    if not data:
        raise SystemCallError(EINVAL, "start", "", "the process that keeps the home's namespaces ended; see its log")
    message: dict[str, Any] = json.loads(data)
    if "errno" in message:
        raise SystemCallError(message["errno"], message["call"], message["path"], message["hint"])
    return message


def _write_maps(pid: int) -> list[str]:
    """Returns sentences on what containers lack."""
    uid, gid = os.getuid(), os.getgid()
    ids = find_ids(uid, gid, _name(uid))
    directory = os.open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not ids.are_alone:
            try:
                user_namespace.write_maps(directory, ids.users, ids.groups, pid=pid)
                return []
            except SystemCallError as error:
                if error.errno != ENOENT:
                    raise
                reason = "newuidmap is not installed (Debian's package uidmap)"
        else:
            reason = f"user {_name(uid)} has no ranges in /etc/subuid and /etc/subgid"
        own = ids.only_own()
        user_namespace.write_maps(directory, own.users, own.groups, pid=pid)
        return [ALONE.format(reason)]
    finally:
        os.close(directory)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
