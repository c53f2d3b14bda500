"""Executing another program in a running container: its namespaces, cgroup and root, and its own user and limits.

Two processes. The first stays outside, waits and answers; the second is the program. Answers: {"pid"} with a pidfd and,
with a terminal, its master, once the program runs; then {"exit_code"}. Or {"error"}. A requester that hangs up before
it could be told has the program killed: processes of the container see the second one, and may have stopped it.
"""

from __future__ import annotations

import os
import signal
import socket
from errno import EBUSY, ECANCELED, EINVAL, ESRCH
from typing import Any, NoReturn

from orchestra.container import isolation, oci, privileges, wire
from orchestra.container.configuration import read_configuration
from orchestra.container.confinement import load_filter
from orchestra.container.description import parse_process
from orchestra.container.init import FAILED, hand_over_listener, take_terminal, tell
from orchestra.container.settings import load_settings
from orchestra.linux import cgroup, namespaces, process, unix_socket, user_namespace
from orchestra.linux.cgroup import freezer
from orchestra.linux.readiness import first_readable, readable
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestra.container.configuration import Configuration, Linux
    from orchestra.container.description import ProcessDescription
    from orchestra.container.directory import ContainerDirectory
    from orchestra.linux.cgroup import Cgroup
    from orchestra.linux.security.seccomp import Filter

JOINED = (
    namespaces.CLONE_NEWNS
    | namespaces.CLONE_NEWUTS
    | namespaces.CLONE_NEWIPC
    | namespaces.CLONE_NEWNET
    | namespaces.CLONE_NEWCGROUP
)


def execute(
    directory: ContainerDirectory,
    description: Mapping[str, Any],
    streams: Sequence[int],
    connection: socket.socket,
    *,
    tied: bool,
) -> NoReturn:
    """streams: standard input, output and error, or none for a terminal. tied: killed when the requester goes away."""
    carry_out(connection, lambda: _execute(directory, description, streams, connection, tied=tied))


def carry_out(connection: socket.socket, work: Callable[[], None]) -> NoReturn:
    """The whole life of a process that executes. If ``work`` fails, the error is sent to the requester."""
    try:
        work()
    except OSError as error:
        tell(connection, {"error": wire.describe_error(error)})
    os._exit(0)


def _execute(
    directory: ContainerDirectory,
    description: Mapping[str, Any],
    streams: Sequence[int],
    connection: socket.socket,
    *,
    tied: bool,
) -> None:
    container = directory.load_process("state.json")
    # It stays a zombie for a moment after its end has been told.
    if container is None or directory.has("exit.json"):
        raise _does_not_run(directory)
    try:
        target = process.open_pidfd(container)
    except ProcessLookupError:
        raise _does_not_run(directory) from None
    config = read_configuration(directory.load("config.json"))
    linux = config.linux
    try:
        pid, ours = _bear(directory, description, config, streams, connection, container.pid, target)
    except OSError:
        if readable(target, 0):  # whatever failed, failed because it has ended in the meantime
            raise _does_not_run(directory) from None
        raise
    pidfd = os.pidfd_open(pid)
    for fd in (target, *streams):
        os.close(fd)
    fds = [pidfd]
    executing = False
    warnings: list[str] = []
    while True:
        if ours.fileno() not in first_readable([ours.fileno(), connection.fileno()]):
            # The requester hung up. Do not wait for the end: a frozen cgroup (version 1) keeps even a killed process.
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            return
        data, received = unix_socket.receive(ours, 65536)
        if not data:
            break
        message = wire.decode(data)
        fds += received
        executing = executing or "executing" in message
        if "warning" in message:
            warnings.append(message["warning"])
        if "listener" in message:
            state = oci.state(directory.name, "running", container.pid, directory.path, config.annotations)
            oci.send_listener(linux.seccomp, fds.pop(), pid, state)
            ours.send(isolation.GO)
        if "error" in message:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)  # it ends anyway, unless the container has stopped it
            os.waitpid(pid, 0)
            wire.send(connection, message)
            return
    if not executing:
        raise SystemCallError(ECANCELED, "exec", directory.name, "killed while it was being set up")
    attend(connection, pid, fds, warnings, tied=tied)


def _does_not_run(directory: ContainerDirectory) -> SystemCallError:
    return SystemCallError(ESRCH, "exec", directory.name, "the container does not run")


def _bear(
    directory: ContainerDirectory,
    description: Mapping[str, Any],
    config: Configuration,
    streams: Sequence[int],
    connection: socket.socket,
    container: int,
    target: int,
) -> tuple[int, socket.socket]:
    """Fork the program's process. Returns its pid and the socket that it tells its progress on.

    container: the pid of the container's first process; target: a pidfd of it.
    """
    linux = config.linux
    wanted = load_filter(directory, config, load_settings(directory).seccomp)
    process.set_name("orchestra-exec")
    process.hide_origin("orchestra-exec")  # the container sees the second process: its paths are the host's
    flags = joined(linux, container)
    bear_within(linux, container, target)
    group = cgroup.at(linux.cgroups_path)
    if freezer.is_frozen(group):
        raise SystemCallError(EBUSY, "exec", directory.name, "the container is paused: its cgroup is frozen")
    described = parse_process(description)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = group.fork(beside=container)
    if pid == 0:
        connection.detach()
        ours.detach()
        become_program(described, config, streams, target, flags, group, wanted, theirs)
    theirs.close()
    return pid, ours


def attend(connection: socket.socket, pid: int, fds: list[int], warnings: list[str], *, tied: bool) -> None:
    """Tell the requester that the program runs, and how it ended. fds: a pidfd of it, and its terminal's master.

    A requester that has hung up cannot be told: it has never learned that the program runs, so that is killed.
    """
    try:
        wire.send(connection, {"pid": pid, "warnings": warnings}, fds)
    except OSError:
        _kill_group(pid)
        raise
    for fd in fds[1:]:
        os.close(fd)
    if tied and fds[0] not in first_readable([fds[0], connection.fileno()]):
        _kill_group(pid)
    _pid, status = os.waitpid(pid, 0)
    tell(connection, {"exit_code": process.exit_code(status)})


def _kill_group(pid: int) -> None:
    """Kill a program, a child of ours in a session of its own, and what it has started: all of its process group.

    Killed alone, a shell would leave the command behind that it waits for. A group that the program has made by itself,
    as for a job of an interactive shell, stays.
    """
    os.killpg(os.getpgid(pid), signal.SIGKILL)


def bear_within(linux: Linux, container: int, target: int) -> None:
    """Have the program born in the container's PID namespace, while this process stays outside of it.

    target: a pidfd of the container's first process, whose pid is ``container``.
    """
    if not _is_shared("pid", isolation.Namespaces(linux), container):
        namespaces.setns(target, namespaces.CLONE_NEWPID)


def _is_shared(kind: str, space: isolation.Namespaces, container: int) -> bool:
    """Whether the container shares that namespace with us: root of a user namespace alone cannot join it."""
    return kind not in space.fresh and namespaces.is_ours(kind, container)


def joined(linux: Linux, container: int) -> int:
    """Flags of the namespaces that a program must join to be in the container: all that this process is not in already.

    Without root, only processes inside the container's user namespace may join its PID namespace. So it is among the
    flags, and a process that joins it goes on in a sibling.
    """
    space = isolation.Namespaces(linux)
    flags = JOINED if "mount" in space else JOINED & ~namespaces.CLONE_NEWNS
    if "time" in space:
        flags |= namespaces.CLONE_NEWTIME
    # The kernel joins it first. A process may not join the user namespace that it is in already (setns(2)).
    if "user" in space and not namespaces.is_ours("user", container):
        flags |= namespaces.CLONE_NEWUSER
    if os.geteuid():
        flags |= namespaces.CLONE_NEWPID
    for kind, flag in namespaces.FLAGS.items():
        if flags & flag and _is_shared(kind, space, container):
            flags &= ~flag
    return flags


def become_program(
    description: ProcessDescription,
    config: Configuration,
    streams: Sequence[int],
    target: int,
    flags: int,
    group: Cgroup,
    wanted: Filter | None,
    channel: socket.socket,
    *,
    preserved: int = 0,
    root: int = -1,
) -> NoReturn:
    """The program's process, from the fork to execve(2).

    config: of the container; target: a pidfd of its first process, whose namespaces it joins as ``flags`` say;
    preserved: descriptors from 3 up that the program gets; root: of a container without a mount namespace of its own.
    """

    def warn(text: str) -> None:
        tell(channel, {"warning": text})

    try:
        if description.initial_cpus or description.final_cpus:
            from orchestra.linux import scheduling
        process.restore_signals()
        os.setsid()
        if description.initial_cpus:
            scheduling.set_affinity(description.initial_cpus)
        group.enter()
        if description.final_cpus:
            scheduling.set_affinity(description.final_cpus)
        privileges.prepare(description, warn)
        process.forbid_imports()
        # While this process joins the container, the container's processes must not look into it: see ptrace(2). Not
        # earlier, since only root can use /proc/self from here on.
        process.prctl(process.PR_SET_DUMPABLE, 0)
        namespaces.setns(target, flags)
        if flags & namespaces.CLONE_NEWUSER:
            user_namespace.become_root()
        if root >= 0:
            os.fchdir(root)
            os.chroot(".")
            os.close(root)
        if flags & namespaces.CLONE_NEWPID:
            isolation.go_on_in_sibling(channel)
        os.chdir("/")
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if description.terminal:
            take_terminal(description, channel, root)  # it stays open until execve(2)
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
        labels = privileges.open_labels(description, root)
        os.close(root)
        program = privileges.become(description, config, labels, warn, wanted)
        process.close_on_exec_from(3 + preserved)
        tell(channel, {"executing": True})
        program.confine(lambda listener: hand_over_listener(channel, listener))
        program.execute()
    except OSError as error:
        tell(channel, {"error": wire.describe_error(error)})
    except BaseException as error:
        # The last frame of a forked process: whatever happens, it must not run on in its parent's code.
        hint = wire.describe_failure(error)
        tell(channel, {"error": {"errno": EINVAL, "call": "exec", "path": "", "hint": hint}})
    os._exit(FAILED)
