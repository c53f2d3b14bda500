"""A container's first process, from the fork to its program: namespaces, root, terminal, privileges, execve(2).

It talks to the shim over ``channel``, a pair of datagram sockets that closes by itself when the program is executed:

    to the shim     what ``isolation`` says; {"warning": text}; {"prepared": true} when the root is mounted and hooks
                    are to be run; {"terminal": true} with the master; {"created": true} when only ``start`` is missing;
                    {"error": ...}; {"executing": true}; {"listener": true} with that of a filter of system calls, to
                    be answered by ``go``
    from the shim   the container's state as JSON, after ``prepared``; ``start``, or ``wait``: then it lets go of the
                    channel, and the client that connects to the gate and says ``start`` gets the last words; the end
                    of file instead means that the shim is gone
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from errno import EINVAL

from orchestra.container import device_nodes, hooks, isolation, masks, privileges, rootfs, sysctls, wire
from orchestra.container.confinement import load_filter
from orchestra.container.description import parse_process
from orchestra.container.directory import ContainerDirectory
from orchestra.linux import namespaces, process, tty, unix_socket, user_namespace
from orchestra.linux.security import keyring
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from orchestra.container.configuration import Configuration, Linux
    from orchestra.container.description import ProcessDescription
    from orchestra.container.settings import Settings
    from orchestra.linux.cgroup import Cgroup

START = b"start"
WAIT = b"wait"
FAILED = 1  # exit code of a process that could not become the program; its error has been sent before
REAPER_ANNOTATION = "io.orchestra.init"


def run(
    config: Configuration,
    settings: Settings,
    bundle: str,
    cgroup: Cgroup,
    channel: socket.socket,
    gate: socket.socket | None = None,
) -> NoReturn:
    """The whole life of the process up to its program. The current directory is the container's.

    gate: a listening socket, if the other side may say ``wait``.
    """
    try:
        _become_container(config, settings, bundle, cgroup, channel, gate)
    except OSError as error:
        tell(channel, {"error": wire.describe_error(error)})
    except BaseException as error:
        # The last frame of a forked process: whatever happens, it must not run on in the shim's code.
        hint = wire.describe_failure(error)
        tell(channel, {"error": {"errno": EINVAL, "call": "config", "path": bundle, "hint": hint}})
    os._exit(FAILED)


def tell(channel: socket.socket, message: wire.Message, fds: tuple[int, ...] = ()) -> None:
    """If the shim is gone, the message is dropped: nothing waits for it."""
    try:
        unix_socket.send(channel, wire.encode(message), fds)
    except (BrokenPipeError, ConnectionError):
        return


def _become_container(
    config: Configuration,
    settings: Settings,
    bundle: str,
    cgroup: Cgroup,
    channel: socket.socket,
    gate: socket.socket | None,
) -> NoReturn:
    def warn(text: str) -> None:
        tell(channel, {"warning": text})

    os.chdir(bundle)
    process.restore_signals()
    stays = config.annotations.get(REAPER_ANNOTATION) == "true"
    if stays:
        process.hide_origin("orchestra-init")  # the container must not see the host's paths and variables
    os.setsid()
    cgroup.enter()
    description = parse_process(config.process)
    linux = config.linux
    wanted = load_filter(ContainerDirectory(bundle), config, settings.seccomp)
    privileges.prepare(description, warn)
    # The owner is a number of the host, so it is looked up before the process enters a user namespace.
    owner = _owner(description.uid, linux)
    if settings.inherited_streams:
        if not description.terminal:
            _own_streams(owner)
    elif not description.terminal:
        _open_streams(owner, settings)
    space = isolation.Namespaces(linux)
    nodes: dict[str, int] = {}
    apart, rootless = "mount" in space, space.are_rootless
    if not apart and not settings.unmounted:
        raise SystemCallError(EINVAL, "config", "linux.namespaces", "a container needs a mount namespace")
    if "mount" in space.fresh and "user" in space and os.geteuid() == 0:
        namespaces.unshare(namespaces.CLONE_NEWNS)
        sources = iter(list(rootfs.prepare(config, settings.rootfs, bundle, cgroup)))
        nodes = device_nodes.prepare(linux)
        isolation.enter(linux, channel)
    else:
        isolation.enter(linux, channel)
        sources = rootfs.prepare(config, settings.rootfs, bundle, cgroup, apart=apart)
    if settings.keyring:
        keyring.join_session(settings.keyring)
    root = rootfs.build(config, sources, nodes)
    state: dict[str, Any] = {}
    hooked = hooks.wanted(config, *hooks.BEFORE_START)
    if hooked:
        state = _run_hooks_of_creation(config, channel)
    rootfs.enter(root, linux.rootfs_propagation, pivot=settings.pivot, apart=apart)
    process.forbid_imports()
    if config.hostname:
        socket.sethostname(config.hostname)
    if config.domainname:
        process.set_domain_name(config.domainname)
    here = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if description.terminal:
        _open_terminal(description, channel, here)
    device_nodes.finish(here, config.mounts)
    sysctls.apply(here, linux.sysctl)
    masks.hide(here, linux.masked_paths, linux.readonly_paths)
    labels = privileges.open_labels(description, here)
    os.close(here)
    program = privileges.become(description, config, labels, warn, wanted, dumpable=rootless)
    tell(channel, {"created": True})
    word = channel.recv(64)
    if word == WAIT and gate is not None:
        _wait_at(gate, channel)
    elif word != START:
        os._exit(FAILED)
    if hooked:
        hooks.run(config, "startContainer", {**state, "status": "created"})

    def hand_over(listener: int) -> None:
        hand_over_listener(channel, listener)

    if stays:
        program.confine(hand_over)  # the process that stays as PID 1 is confined like the container's other processes
        _leave_program_to_child(channel)
    process.close_on_exec_from(3 + settings.preserved)
    tell(channel, {"executing": True})
    program.confine(hand_over)
    program.execute()


def hand_over_listener(channel: socket.socket, listener: int) -> None:
    """Send the listener to the other side, which sends it on. When this returns, the deciding process has it."""
    unix_socket.send(channel, wire.encode({"listener": True}), (listener,))
    if channel.recv(16) != isolation.GO:
        os._exit(FAILED)


def _owner(uid: int, linux: Linux) -> int:
    """The container's user as a number of the host; -1 if it is not mapped."""
    space = isolation.Namespaces(linux)
    if "user" not in space:
        return uid
    known = user_namespace.to_host(linux.uid_mappings, uid)
    return -1 if known is None else known


def _run_hooks_of_creation(config: Configuration, channel: socket.socket) -> dict[str, Any]:
    """The other side runs the hooks that belong on the host; then this runs those of the container.

    Returns the state.
    """
    tell(channel, {"prepared": True})
    data = channel.recv(wire.MAX_LINE)
    if not data:
        os._exit(FAILED)
    state = wire.decode(data)
    hooks.run(config, "createContainer", state)
    return state


def _wait_at(gate: socket.socket, channel: socket.socket) -> None:
    """Wait for a client that says ``start``. It replaces the other side of the channel, so it gets the errors too.

    A client that connects and says nothing has only checked that this process waits.
    """
    while True:
        connection, _address = gate.accept()
        with contextlib.suppress(ConnectionError):
            if connection.recv(64) == START:
                gate.close()
                os.dup2(connection.fileno(), channel.fileno(), inheritable=False)
                connection.close()
                return
        connection.close()


def _own_streams(owner: int) -> None:
    """The streams are the caller's, but the container's user must own them to open /dev/stdout by name.

    Shared files such as /dev/null, or files on a read-only file system, keep their owner.
    """
    null = os.stat("/dev/null").st_rdev
    for fd in (0, 1, 2):
        with contextlib.suppress(OSError):
            status = os.fstat(fd)
            if status.st_uid != owner and status.st_rdev != null:
                os.fchown(fd, owner, -1)


def _open_streams(owner: int, settings: Settings) -> None:
    """Standard streams from the FIFOs of the container directory, opened to read and write: see the package.

    The container's user owns them, or a program could not open /dev/stdout by name.
    """
    os.dup2(open_stdin(settings), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        fd = os.open(name, os.O_RDWR)
        if owner:
            os.fchown(fd, owner, -1)
        os.dup2(fd, number)


def open_stdin(settings: Settings) -> int:
    """The FIFO of the container directory, or /dev/null. One that ends with a client's is only read here.

    The shim makes none for a client that is not there any more.
    """
    if not settings.stdin or not os.path.exists("stdin"):
        return os.open("/dev/null", os.O_RDONLY)
    if not settings.caller:
        return os.open("stdin", os.O_RDWR)
    fd = os.open("stdin", os.O_RDONLY | os.O_NONBLOCK)  # its writer may be gone already
    os.set_blocking(fd, True)
    return fd


def _open_terminal(description: ProcessDescription, channel: socket.socket, root: int) -> None:
    """A terminal of the container's own devpts as standard streams and as /dev/console."""
    slave = take_terminal(description, channel, root)
    device_nodes.mount_console(root, slave)
    os.close(slave)


def take_terminal(description: ProcessDescription, channel: socket.socket, root: int) -> int:
    """Use a terminal of the devpts below ``root`` as standard streams; its master goes to the other side.

    Returns its slave.
    """
    master, slave = tty.open_pair(root)
    if description.size is not None:
        tty.set_size(master, tty.Size(*description.size))
    tell(channel, {"terminal": True}, (master,))
    os.close(master)
    os.fchown(slave, description.uid, -1)
    tty.take_control(slave)
    for number in (0, 1, 2):
        os.dup2(slave, number)
    return slave


def _leave_program_to_child(channel: socket.socket) -> None:
    """Stay as PID 1, forwarding signals and reaping orphans, and go on in a child: returns only in the child.

    Closes everything but the standard streams, so that end of file comes when the container's last process ends.
    """
    every = set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, every)
    process.set_name("orchestra-init")  # before there is a child that could look
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.setpgid(0, 0)
        if os.isatty(0):
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        return
    channel.detach()
    process.close_all_except([])
    while True:
        number = signal.sigwait(every)
        if number == signal.SIGCHLD:
            code = _reap(child)
            if code is not None:
                os._exit(code)
            continue
        try:
            os.kill(child, number)
        except ProcessLookupError:
            continue


def _reap(child: int) -> int | None:
    """Reap all children that have ended. Returns the program's exit code if it is among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            code = process.exit_code(status)
