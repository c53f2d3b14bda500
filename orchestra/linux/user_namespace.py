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
    """Once and for all, and whole. process: its directory in /proc, of one that has just entered a new namespace.

    Who is not root maps himself alone, or has newuidmap(1) and newgidmap(1) map what /etc/subuid and /etc/subgid give
    him. pid: how these know the process.
    """
    is_root = os.geteuid() == 0
    for name, mappings, own in (("uid_map", users, os.geteuid()), ("gid_map", groups, os.getegid())):
        if is_root or _is_alone(mappings, own):
            if name == "gid_map" and not is_root:
                # Else whom a group keeps out could leave it (user_namespaces(7), "The /proc/pid/setgroups file").
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
    """Who an id of the namespace is outside of it; None for one that is not mapped."""
    for row in mappings:
        if 0 <= number - row["containerID"] < row["size"]:
            return row["hostID"] + number - row["containerID"]
    return None


def become_root() -> None:
    """In a user namespace that was just entered: its root in place of whoever we are outside, who is nobody here."""
    try:
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    except OSError as error:
        raise SystemCallError(error.errno or EINVAL, "setresuid", "0", "its maps leave out root") from error
    # "deny" in /proc/self/setgroups, of a namespace that somebody without privileges made, is no matter.
    with contextlib.suppress(PermissionError):
        os.setgroups(())


def is_initial() -> bool:
    """Whether we are in the machine's own user namespace: only that one maps every id to itself."""
    with open("/proc/self/uid_map") as file:
        return file.read().split() == ["0", "0", "4294967295"]


def make(users: Sequence[Mapping[str, int]], groups: Sequence[Mapping[str, int]]) -> int:
    """A descriptor of a user namespace with these maps and nobody in it, such as a mapped mount wants.

    The helper tells which process it is by its directory in /proc, which may be of another PID namespace than ours:
    a number would name somebody else there.
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
