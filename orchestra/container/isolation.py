"""The namespaces of a container: those that its first process is born in, joins or makes.

The order matters. A namespace belongs to the user namespace it was made in, and only a process with privileges there
may join it or mount in it. So namespaces with a path are joined from outside as far as that is permitted; then the
process enters the user namespace, joins the rest, and makes the new ones last. User and time namespaces need an
intermediate process: it stays in the old PID namespace, and the other side of the channel writes its maps and clocks;
its sibling is born inside and is the container's first process (clone(2), CLONE_PARENT).

Over the channel: {"entered": true} with the directory in /proc of the intermediate process, answered by ``go``; then
{"process": pid} of its sibling.
"""

from __future__ import annotations

import os
import signal
from errno import ECANCELED, EINVAL, EPERM

from orchestra.container import wire
from orchestra.linux import namespaces, process, unix_socket, user_namespace
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from orchestra.container.configuration import Linux
    from orchestra.linux.cgroup import Cgroup

GO = b"go"
# The order in which they are joined and made: a mount namespace last, since it takes paths and /proc away.
ORDER = ("time", "pid", "network", "ipc", "uts", "cgroup", "mount")


class Namespaces:
    """``linux.namespaces`` taken apart. paths: of those to join; fresh: those to make."""

    __slots__ = ("fresh", "paths")

    def __init__(self, linux: Linux) -> None:
        entries = linux.namespaces
        self.paths: dict[str, str] = {entry.type: entry.path for entry in entries if entry.path}
        self.fresh = [entry.type for entry in entries if not entry.path]
        for kind in (*self.paths, *self.fresh):
            if kind not in namespaces.FLAGS:
                raise _invalid("linux.namespaces", f"{kind} is not known")
        if len(entries) != len({*self.paths, *self.fresh}):
            raise _invalid("linux.namespaces", "each kind may be named once")
        if "user" in self.fresh and not (linux.uid_mappings and linux.gid_mappings):
            raise _invalid("linux.uidMappings", "a new user namespace needs uidMappings and gidMappings")
        if linux.time_offsets and "time" not in self.fresh:
            raise _invalid("linux.timeOffsets", "only a new time namespace can have offsets")

    def __contains__(self, kind: str) -> bool:
        return kind in self.paths or kind in self.fresh

    @property
    def have_process_between(self) -> bool:
        return "user" in self or "time" in self

    @property
    def are_rootless(self) -> bool:
        """Whether a user other than root makes their user namespace: no process in it could look into its maker.

        The maker can look into it, and so can bring a network to a container that waits, or execute a program in it.
        """
        return "user" in self.fresh and os.geteuid() != 0


def fork(linux: Linux, group: Cgroup) -> int:
    """Fork into the group and, unless an intermediate process does so, into the PID namespace. We stay outside."""
    wanted = Namespaces(linux)
    if "pid" not in wanted or wanted.have_process_between:
        return group.fork()
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Both take effect for children only. What else this process starts, such as hooks, belongs outside again.
        if "pid" in wanted.paths:
            namespaces.join(wanted.paths["pid"], namespaces.CLONE_NEWPID)
        else:
            namespaces.unshare(namespaces.CLONE_NEWPID)
        pid = group.fork()
        if pid:
            try:
                namespaces.setns(own, namespaces.CLONE_NEWPID)
            except SystemCallError as error:
                # Refused where we are root of a user namespace, but not of this one: what we start is inside then.
                if error.errno != EPERM:
                    raise
        return pid
    finally:
        os.close(own)


def await_first_process(pid: int, channel: socket.socket, linux: Linux, warn: Callable[[str], None]) -> int:
    """The container's first process: the child that was forked, or its sibling if that was an intermediate process."""
    if not Namespaces(linux).have_process_between:
        return pid
    return await_sibling(pid, channel, linux, warn)


def await_sibling(pid: int, channel: socket.socket, linux: Linux, warn: Callable[[str], None]) -> int:
    """The sibling that takes the place of an intermediate process, which is a child of ours."""
    try:
        first = _attend(pid, channel, linux, warn)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.waitpid(pid, 0)
    return first


def _attend(pid: int, channel: socket.socket, linux: Linux, warn: Callable[[str], None]) -> int:
    while True:
        data, fds = unix_socket.receive(channel, 65536)
        if not data:
            raise SystemCallError(ECANCELED, "create", "", "killed while its namespaces were made")
        message = wire.decode(data)
        if "error" in message:
            raise wire.rebuild_error(message["error"])
        if "warning" in message:
            warn(message["warning"])
        if "process" in message:
            return int(message["process"])
        if "entered" in message:
            wanted = Namespaces(linux)
            try:
                if "user" in wanted.fresh:
                    user_namespace.write_maps(fds[0], linux.uid_mappings, linux.gid_mappings, pid=pid)
                namespaces.write_time_offsets(fds[0], linux.time_offsets)
            finally:
                os.close(fds[0])
            channel.send(GO)


def enter(linux: Linux, channel: socket.socket) -> None:
    """Join and make all of them. Returns in the container's first process, root of its user namespace."""
    wanted = Namespaces(linux)
    rootless = wanted.are_rootless
    # Open all of them before joining the first: afterwards their paths may lead elsewhere, or be forbidden.
    opened = {kind: os.open(path, os.O_RDONLY | os.O_CLOEXEC) for kind, path in wanted.paths.items()}
    if not wanted.have_process_between:
        opened.pop("pid", None)
        _join(opened, wanted)
        _make(wanted)
        return
    user = opened.pop("user", -1)
    here = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    _join(opened, wanted, refused=() if "user" not in wanted else (EPERM,))
    if user >= 0:
        namespaces.setns(user, namespaces.CLONE_NEWUSER, about=wanted.paths["user"])
        os.close(user)
    _enter_fresh(wanted, channel, here)
    os.close(here)
    if "user" in wanted:
        user_namespace.become_root()
    if rootless:
        process.prctl(process.PR_SET_DUMPABLE, 1)  # where root is another user, the change to it has undone that
    _join({kind: opened.pop(kind) for kind in ("time", "pid") if kind in opened}, wanted)
    go_on_in_sibling(channel, namespaces.CLONE_NEWPID if "pid" in wanted.fresh else 0)
    _join(opened, wanted)
    _make(wanted)


def _join(opened: dict[str, int], wanted: Namespaces, refused: tuple[int, ...] = ()) -> None:
    """Join the namespaces in ``opened`` and take them out; those whose joining is refused with these errors stay."""
    for kind in [kind for kind in ORDER if kind in opened]:
        try:
            namespaces.setns(opened[kind], namespaces.FLAGS[kind], about=wanted.paths[kind])
        except SystemCallError as error:
            if error.errno not in refused:
                raise
            continue
        os.close(opened.pop(kind))


def _make(wanted: Namespaces) -> None:
    flags = sum(namespaces.FLAGS[kind] for kind in wanted.fresh if kind not in ("user", "time", "pid"))
    if flags:
        namespaces.unshare(flags)


def _enter_fresh(wanted: Namespaces, channel: socket.socket, here: int) -> None:
    """Make new user and time namespaces. The other side writes their maps and clocks, since this process may not.

    here: our directory in /proc, since a pid would name another process if the other side is in another PID namespace.
    """
    flags = sum(namespaces.FLAGS[kind] for kind in ("user", "time") if kind in wanted.fresh)
    if not flags:
        return
    namespaces.unshare(flags)
    unix_socket.send(channel, wire.encode({"entered": True}), (here,))
    if channel.recv(16) != GO:
        os._exit(1)


def go_on_in_sibling(channel: socket.socket, flags: int = 0) -> None:
    """Be born in the PID and time namespaces. The intermediate process has ended when this returns.

    flags: of a namespace to be made for it.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = process.fork_sibling(flags)
    if pid:
        unix_socket.send(channel, wire.encode({"process": pid}))
        os._exit(0)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    os.setsid()


def _invalid(field: str, problem: str) -> SystemCallError:
    return SystemCallError(EINVAL, "config", field, problem)
