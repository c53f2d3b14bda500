"""User namespaces and their maps (user_namespaces(7)): /proc/PID/uid_map and gid_map, in the OCI spec's words."""

from __future__ import annotations

import contextlib
import os
import socket
from errno import EINVAL

from orchestra.linux import namespaces, unix_socket
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def render_map(mappings: Iterable[Mapping[str, int]]) -> str:
    """Lines of ``containerID hostID size``."""
    return "".join(f"{row['containerID']} {row['hostID']} {row['size']}\n" for row in mappings)


def write_maps(
    process: int, users: Sequence[Mapping[str, int]], groups: Sequence[Mapping[str, int]], *, pid: int = 0
) -> None:
    """Write the maps, once and for all. process: the directory in /proc of a process that has just entered a new
    namespace.

    A user other than root can map only itself, or have newuidmap(1) and newgidmap(1) map its ids from /etc/subuid and
    /etc/subgid. pid: the process as these programs know it.
    """
    is_root = os.geteuid() == 0
    for name, mappings, own in (("uid_map", users, os.geteuid()), ("gid_map", groups, os.getegid())):
        if is_root or _is_alone(mappings, own):
            if name == "gid_map" and not is_root:
                # Otherwise users that a group shuts out could leave it (user_namespaces(7), "The /proc/pid/setgroups
                # file").
                _write(process, "setgroups", "deny")
            if mappings:
                _write(process, name, render_map(mappings))
        else:
            from orchestra.linux import subordinate_ids

            subordinate_ids.write_map(f"new{name.replace('_', '')}", pid, mappings)


def _is_alone(mappings: Sequence[Mapping[str, int]], own: int) -> bool:
    return len(mappings) == 1 and mappings[0]["hostID"] == own and mappings[0]["size"] == 1


def _write(process: int, name: str, text: str) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=process)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        hint = "ranges must not overlap, and must be ours to give: see /etc/subuid and /etc/subgid"
        raise SystemCallError(error.errno or EINVAL, "write", name, hint) from error
    finally:
        os.close(fd)


def to_host(mappings: Iterable[Mapping[str, int]], number: int) -> int | None:
    """The host's number for an id of the namespace; None if it is not mapped."""
    for row in mappings:
        if 0 <= number - row["containerID"] < row["size"]:
            return row["hostID"] + number - row["containerID"]
    return None


def to_inside(mappings: Iterable[Mapping[str, int]], number: int) -> int | None:
    """The namespace's number for an id of the host; None if it is not mapped."""
    for row in mappings:
        if 0 <= number - row["hostID"] < row["size"]:
            return row["containerID"] + number - row["hostID"]
    return None


def become_root() -> None:
    """In a user namespace that was just entered: become its root, since our user outside has no id here."""
    try:
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    except OSError as error:
        raise SystemCallError(error.errno or EINVAL, "setresuid", "0", "its maps leave out root") from error
    # "deny" in /proc/self/setgroups, of a namespace made without privileges, does not matter.
    with contextlib.suppress(PermissionError):
        os.setgroups(())


def is_initial() -> bool:
    """Whether this is the machine's own user namespace: only that one maps every id to itself."""
    with open("/proc/self/uid_map") as file:
        return file.read().split() == ["0", "0", "4294967295"]


def make(users: Sequence[Mapping[str, int]], groups: Sequence[Mapping[str, int]]) -> int:
    """A descriptor of a user namespace with these maps and without processes, as needed for a mapped mount.

    The helper identifies itself by its directory in /proc, which may belong to another PID namespace: its pid could be
    another process's there.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            directory = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                namespaces.unshare(namespaces.CLONE_NEWUSER)
                unix_socket.send(theirs, b"0", (directory,))
            except OSError as error:
                theirs.send(str(error.errno).encode())
            theirs.recv(1)
        finally:
            # The last frame of a forked process: it must not run on in its parent's code.
            os._exit(0)
    theirs.close()
    try:
        answer, fds = unix_socket.receive(ours, 16)
        if not fds:
            raise SystemCallError(int(answer or EINVAL), "unshare", "user", "see /proc/sys/user/max_user_namespaces")
        try:
            write_maps(fds[0], users, groups)
            return os.open("ns/user", os.O_RDONLY | os.O_CLOEXEC, dir_fd=fds[0])
        finally:
            os.close(fds[0])
    finally:
        ours.close()
        os.waitpid(pid, 0)
