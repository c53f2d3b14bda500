"""The root of a container as the container sees it, by descriptor, whether it runs or not.

A short-lived process opens it in the container's mount namespace, or in a new one in which it mounts what starting the
container would mount. It runs nothing of the container, and nothing in a container can see it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from errno import ECHILD
from typing import TYPE_CHECKING

from orchestra.container import mounts, wire
from orchestra.container.configuration import read_configuration
from orchestra.container.directory import ContainerDirectory
from orchestra.container.rootfs import mount_layer
from orchestra.container.settings import load_settings
from orchestra.linux import cgroup, namespaces, unix_socket
from orchestra.linux.directory_lock import locked
from orchestra.linux.mounts import mount, mount_tree
from orchestra.linux.syscall import SystemCallError
from orchestra.shim.state import Status, state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VIRTUAL = frozenset(("proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"))
"""File systems that are empty, or not there, while a container does not run."""


@contextlib.contextmanager
def opened_root(directory: str, *, bare: bool = False) -> Iterator[int]:
    """An O_PATH descriptor of the root. bare: without anything that is mounted in it, and read-only.

    Raises FileNotFoundError or DamagedFile if the container is not made, or not completely.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.ExitStack() as lock:
            # Overlayfs forbids mounting the root twice at a time: a start holds the lock until the container runs, a
            # copy as long as it has the root mounted.
            lock.enter_context(locked(directory))
            root = _open_running(directory, bare=bare)
            if root is None:
                root = _mount_stopped(directory, bare=bare)
                stack.push(lock.pop_all())
        stack.callback(os.close, root)
        yield root


def _open_running(directory: str, *, bare: bool) -> int | None:
    """None when it does not run."""
    seen = state(directory)
    if seen.status not in (Status.RUNNING, Status.CREATED):
        return None
    try:
        namespace = os.open(f"/proc/{seen.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        if state(directory).pid != seen.pid:  # else the number may have been another process's by then
            return None

        def open_it() -> int:
            # To the root of the namespace, even if the container's first process has changed its root directory.
            namespaces.setns(namespace, namespaces.CLONE_NEWNS, about="the container's mount namespace")
            return _bare("/") if bare else os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

        return _apart(open_it)
    finally:
        os.close(namespace)


def _bare(path: str) -> int:
    tree = mount_tree.clone(path, about="the root")
    mount.set_attributes(tree, mount.MOUNT_ATTR_RDONLY, about="the root")
    return tree


def _mount_stopped(directory: str, *, bare: bool) -> int:
    files = ContainerDirectory(directory)
    config, settings = read_configuration(files.load_config()), load_settings(files)
    group = cgroup.at(config.linux.cgroups_path)

    def mount_it() -> int:
        namespaces.unshare(namespaces.CLONE_NEWNS)
        mount.mount("", "/", flags=mount.MS_REC | mount.MS_PRIVATE)
        root = f"{directory}/rootfs"
        for layer in settings.rootfs:
            mount_layer(layer, root, config.linux)
        if bare:
            return _bare(root)
        top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for entry in config.mounts:
            if entry.type in VIRTUAL:
                continue
            mounts.place(top, entry, mounts.open_sources(entry, config.linux, directory, group), config.linux)
        # It outlives this process and its namespace, until its descriptor is closed.
        tree = mount_tree.clone(root, recursive=True, about="the root")
        if config.root.readonly:
            mount.set_attributes(tree, mount.MOUNT_ATTR_RDONLY, about="the root")
        return tree

    return _apart(mount_it)


def _apart(open_it: Callable[[], int]) -> int:
    """The descriptor that ``open_it`` returns in a process of its own. Raises its OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        try:
            unix_socket.send(theirs, b"{}", (open_it(),))
        except OSError as error:
            theirs.send(wire.encode({"error": wire.describe_error(error)}))
        finally:
            # The last frame of a forked process: it must not run on in its parent's code.
            os._exit(0)
    theirs.close()
    try:
        data, fds = unix_socket.receive(ours, wire.MAX_LINE)
    finally:
        ours.close()
        os.waitpid(pid, 0)
    if fds:
        return fds[0]
    if not data:
        raise SystemCallError(ECHILD, "open", "/", "the process that was to open it has ended")
    raise wire.rebuild_error(wire.decode(data)["error"])
