"""Trying what this machine allows: each trial runs in a forked child, so it leaves nothing behind."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import tempfile
import traceback
from errno import EINVAL, EPERM

from orchestra.linux import cgroup, namespaces, process
from orchestra.linux.mounts import mount
from orchestra.linux.mounts.resolve import open_in_root
from orchestra.linux.namespaces import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS
from orchestra.linux.network import netlink, nftables
from orchestra.linux.network.netlink import Netlink
from orchestra.linux.security import libseccomp, seccomp
from orchestra.linux.syscall import SYS_CLONE3, SystemCallError, check, raw
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECONDS = 10.0
MIB = 1 << 20


class Outcome(NamedTuple):
    """detail: what a successful trial found, or why it failed."""

    works: bool
    detail: str = ""


def attempt(trial: Callable[[], str | None]) -> Outcome:
    """Run ``trial`` in a child. It works when it returns; what it returns is the detail. Only for a single thread."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _run(trial, writer)
    os.close(writer)
    text = b""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while poll.poll(SECONDS * 1000):
        data = os.read(reader, 4096)
        if not data:
            break
        text += data
    else:
        os.kill(pid, signal.SIGKILL)
        text = f"no answer within {SECONDS:.0f} s".encode()
    os.close(reader)
    _pid, status = os.waitpid(pid, 0)
    return Outcome(os.waitstatus_to_exitcode(status) == 0, text.decode(errors="replace"))


def _run(trial: Callable[[], str | None], writer: int) -> None:
    code = 1
    try:
        try:
            os.write(writer, (trial() or "").encode())
            code = 0
        except OSError as error:
            os.write(writer, _words(error).encode())
    except BaseException:
        # The last frame of a forked process: whatever happens, it must not run on in its parent's code.
        os.write(writer, traceback.format_exc(limit=-2).encode()[:1000])
    os._exit(code)


def _words(error: OSError) -> str:
    call = getattr(error, "call", "") or error.filename or ""
    return f"{call}: {error.strerror}" if call else str(error)


def namespace(flag: int) -> Callable[[], None]:
    return lambda: namespaces.unshare(flag)


def _in_private_mounts() -> str:
    """A new file system of our own, at a place that exists everywhere."""
    namespaces.unshare(CLONE_NEWNS)
    mount.mount("", "/", flags=mount.MS_REC | mount.MS_PRIVATE)
    mount.mount("tmpfs", "/tmp", "tmpfs")
    return "/tmp"


def proc_mount() -> None:
    """In a PID namespace of its own, as for every container; container engines may forbid it to their containers."""
    place = _in_private_mounts()
    namespaces.unshare(CLONE_NEWPID)
    child = os.fork()
    if child == 0:
        number = 0
        try:
            mount.mount("proc", place, "proc")
        except OSError as error:
            number = error.errno or EINVAL
        os._exit(number)
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if number:
        raise SystemCallError(number, "mount proc")


def terminals() -> None:
    mount.mount("devpts", _in_private_mounts(), "devpts", data="newinstance,ptmxmode=0666")


def overlay(place: str, *, rootless: bool) -> Callable[[], None]:
    """place: a directory on the file system for snapshots; ``with`` removes what is made there. rootless: in a user
    namespace, where overlayfs keeps its attributes under other names.
    """

    def trial() -> None:
        namespaces.unshare(CLONE_NEWNS)
        mount.mount("", "/", flags=mount.MS_REC | mount.MS_PRIVATE)
        for name in ("lower", "upper", "work", "root"):
            os.mkdir(f"{place}/{name}")
        options = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"
        mount.mount("overlay", f"{place}/root", "overlay", data=f"{options},userxattr" if rootless else options)
        with open(f"{place}/root/file", "w") as file:
            file.write("x")

    return trial


def mount_setattr() -> None:
    place = _in_private_mounts()
    fd = os.open(place, os.O_PATH)
    mount.set_attributes(fd, mount.attributes_of(mount.MS_RDONLY))


def openat2() -> None:
    root = os.open("/proc/self", os.O_PATH)
    os.close(open_in_root(root, "status", os.O_RDONLY))


def clone3() -> None:
    """Without arguments it fails with EINVAL where it exists."""
    try:
        check(raw(SYS_CLONE3, 0, 0), "clone3")
    except OSError as error:
        if error.errno == EINVAL:
            return
        raise


def close_range() -> None:
    process.close_on_exec_from(1 << 20)


def pidfd() -> str:
    """Signals, waiting, and joining namespaces by descriptor; since 6.15 it tells how a process ended."""
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    known = process.identify(child)
    fd = process.open_pidfd(known)
    joined = True
    try:
        namespaces.setns(fd, CLONE_NEWUTS)
    except OSError as error:
        if error.errno not in (EPERM, EINVAL):
            raise
        joined = error.errno == EPERM
    signal.pidfd_send_signal(fd, signal.SIGKILL)
    os.waitpid(child, 0)
    if not joined:
        raise SystemCallError(EINVAL, "setns by pidfd", "", "needs Linux 5.8")
    return "tells exit codes" if process.foreign_exit_code(known, fd) is not None else ""


def links() -> None:
    """A bridge, and a veth pair with one end in another namespace."""
    namespaces.unshare(CLONE_NEWNET)
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    with Netlink() as connection:
        connection.send(netlink.new_bridge("doctor0", address=b"\x02\0\0\0\0\x01", mtu=1500))
        connection.send(
            netlink.new_veth("doctor1", peer="doctor2", namespace=own, address=b"\x02\0\0\0\0\x02", mtu=1500)
        )
        connection.send(netlink.set_up("doctor0"))


def gates() -> None:
    """The packet filters that every network has, here on the loopback interface of a new namespace."""
    from orchestra.driver.local.net.gate import gate_of_bridge

    namespaces.unshare(CLONE_NEWNET)
    with Netlink() as connection:
        connection.send(*gate_of_bridge(socket.if_nametoindex("lo"), "lo", (), internal=False))


def forwarding() -> None:
    namespaces.unshare(CLONE_NEWNET)
    with open("/proc/sys/net/ipv4/conf/all/forwarding", "r+") as file:
        file.write("1")


def nat() -> None:
    """A redirection in nf_tables, as every container with networks has one."""
    namespaces.unshare(CLONE_NEWNET)
    nftables.redirect("doctor", [nftables.Redirection("tcp", "127.0.0.11", 53, 5353)])


def seccomp_filter() -> str:
    """Compile a filter that forbids nothing, and load it."""
    program = libseccomp.compile_profile({"defaultAction": "SCMP_ACT_ALLOW"})
    process.prctl(process.PR_SET_NO_NEW_PRIVS, 1)
    seccomp.load(seccomp.Filter(program))
    return f"libseccomp {libseccomp.version()}"


def limits(path: str, hierarchy: cgroup.Hierarchy) -> Callable[[], str]:
    """A group at that path with limits in version 1.

    In version 2 only a group named after it, since enabling controllers would outlast the trial.
    """

    def trial() -> str:
        asked: Mapping[str, object] = {}
        if hierarchy.version == 1:
            asked = {"memory": {"limit": 64 * MIB}, "pids": {"limit": 64}, "cpu": {"quota": 50_000, "period": 100_000}}
            group = cgroup.at(path, hierarchy)
            try:
                return "; ".join(group.create(asked))
            finally:
                group.remove()
        directory = f"{hierarchy.v2}/{path.strip('/').replace('/', '-')}"
        os.mkdir(directory)
        os.rmdir(directory)
        with open(f"{hierarchy.v2}/cgroup.controllers") as file:
            missing = {"cpu", "memory", "pids"}.difference(file.read().split())
        return "; ".join(f"no controller {name}" for name in sorted(missing))

    return trial


def temporary_directory(path: str) -> tempfile.TemporaryDirectory[str]:
    """A directory below the nearest existing ancestor of ``path``. OSError if nothing may be made there."""
    return tempfile.TemporaryDirectory(prefix="orchestra-doctor-", dir=nearest(path))


def nearest(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
