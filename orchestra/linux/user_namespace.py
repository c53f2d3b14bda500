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
    from collections.abc import Iterable, Mapping


def render_map(mappings: Iterable[Mapping[str, int]]) -> str:
    """Lines of ``containerID hostID size``."""
    return "".join(f"{row['containerID']} {row['hostID']} {row['size']}\n" for row in mappings)


def write_maps(process: int, users: Iterable[Mapping[str, int]], groups: Iterable[Mapping[str, int]]) -> None:
    """Once and for all, and whole. process: its directory in /proc, of one that has just entered a new namespace."""
    for name, mappings in (("uid_map", users), ("gid_map", groups)):
        text = render_map(mappings)
        if not text:
            continue
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


def is_ours(process: int) -> bool:
    """Whether the process with that pid is in our user namespace."""
    there, here = os.stat(f"/proc/{process}/ns/user"), os.stat("/proc/self/ns/user")
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def make(users: Iterable[Mapping[str, int]], groups: Iterable[Mapping[str, int]]) -> int:
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
