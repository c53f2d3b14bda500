"""The process that makes the namespaces of a home, keeps them while the home needs them, and relays its ports.

Over descriptor 3 it tells the command that has started it: {"entered": true}, and is answered when its ids are mapped;
then {"lacking": sentences about this machine}, or {"errno": ...} if it cannot go on.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import resource
import signal
import socket
import threading
from errno import EINVAL
from typing import Any

from orchestra.linux import namespaces, process, unix_socket
from orchestra.linux.inotify import IN_DELETE, IN_DELETE_SELF, IN_MOVED_FROM, Inotify
from orchestra.linux.mounts import mount
from orchestra.linux.network.namespace import OWN, is_pinned
from orchestra.linux.network.netlink import Netlink, set_up
from orchestra.linux.own_thread import in_own_thread
from orchestra.linux.readiness import readable
from orchestra.linux.systemd.lingering import lingers, remedy
from orchestra.rootless import groups, processes, storage, way_out
from orchestra.rootless.entry import CHANNEL
from orchestra.rootless.places import keeper_file, network_of, relay_socket, store_keeper
from orchestra.rootless.relays import Relays

NO_LIMITS = "containers have no limits of memory, processors and processes, and cannot be paused: {}"
ENDS_WITH_SESSION = "containers end with this user's last session; they outlive it after: {}"
NAME = "orchestra-keeper"
GONE = IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF


def keep(directory: str, stacks: str, snapshots: str, uid: int, *, fresh: bool) -> None:
    """directory: ``Home.rootless``; stacks: ``Home.stacks_run``; snapshots: ``Home.snapshots``; uid: the user's, as
    known outside; fresh: make the namespaces first.
    """
    process.set_name(NAME)
    channel = socket.socket(fileno=CHANNEL)
    os.set_inheritable(CHANNEL, False)
    try:
        if fresh:
            _be_born(channel)
        lacking = [*_find_group(directory, uid), *_make_network(directory)]
        if fresh and (reason := storage.find_refusal(directory, snapshots)):
            lacking.append(storage.COPIES.format(reason))
        relays = Relays(unix_socket.listen(relay_socket(directory)))
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        namespaces.join(network_of(directory), namespaces.CLONE_NEWNET)
        store_keeper(directory, process.identify(os.getpid()))
    except OSError as error:
        _tell(
            channel,
            {
                "errno": error.errno or EINVAL,
                "call": getattr(error, "call", "start"),
                "path": str(error.filename or ""),
                "hint": getattr(error, "hint", ""),
            },
        )
        return
    _tell(channel, {"lacking": lacking})
    channel.close()
    gc.collect()
    gc.freeze()
    threading.Thread(target=_await_end, args=(directory, stacks), daemon=True).start()
    relays.run()


def _tell(channel: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the command has been killed; others may need the namespaces
        channel.send(json.dumps(message).encode())


def _be_born(channel: socket.socket) -> None:
    namespaces.unshare(namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNS)
    _tell(channel, {"entered": True})
    if not channel.recv(16):
        os._exit(1)
    # Commands of the user, outside, look into /proc for the namespaces to join.
    process.prctl(process.PR_SET_DUMPABLE, 1)
    # What the host mounts from now on shows up here, and nothing of this there.
    mount.mount("", "/", flags=mount.MS_SLAVE | mount.MS_REC)


def _make_network(directory: str) -> list[str]:
    """Make the network namespace, with a way out. Returns sentences about what is missing."""
    path = network_of(directory)
    if not is_pinned(path):
        way_out.disconnect(path)  # one that a killed keeper has left, for a network that is gone
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if not _pin_again(path):
            in_own_thread(lambda: _pin_fresh(path))
    return way_out.connect(path)


def _find_group(directory: str, uid: int) -> list[str]:
    """Go to a control group that is the user's own. Returns sentences about what is missing."""
    if lack := groups.establish(directory, uid):
        return [NO_LIMITS.format(lack)]
    return [] if lingers(uid) or not groups.is_a_scope(directory) else [ENDS_WITH_SESSION.format(remedy(uid))]


def _pin_again(path: str) -> bool:
    """Pin the home's network, if its file was removed while processes of ours work in it. Another keeper is ended."""
    pinned = False
    for found in processes.apart_from_host():
        with contextlib.suppress(OSError):
            if not pinned:
                mount.mount(f"/proc/{found.pid}/ns/net", path, flags=mount.MS_BIND)
                pinned = True
            if process.load_stat(found.pid)[0] == NAME[:15].encode():
                process.send_signal(found, signal.SIGKILL)
    return pinned


def _pin_fresh(path: str) -> None:
    """In a thread that ends with it: this process may not come back to the host's network by itself."""
    namespaces.unshare(namespaces.CLONE_NEWNET)
    mount.mount(OWN, path, flags=mount.MS_BIND)
    with Netlink() as connection:
        connection.send(set_up("lo"))


def _await_change(changes: Inotify) -> None:
    readable(changes.fileno())
    changes.read()


def _is_in_use(stack: str) -> bool:
    """Whether the stack has a fork server or a container; both live in the namespaces."""
    return os.path.exists(f"{stack}/fork.sock") or bool(_entries(f"{stack}/containers"))


def _entries(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _await_end(directory: str, stacks: str) -> None:
    """End this process once the home has no stacks, and no command is in its namespaces."""
    lock = os.open(f"{directory}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with Inotify() as changes:
        while True:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                changes.add(stacks, GONE)
            if not any(_is_in_use(f"{stacks}/{name}") for name in _entries(stacks)):
                break
            fcntl.flock(lock, fcntl.LOCK_UN)
            _await_change(changes)
    for path in (keeper_file(directory), relay_socket(directory), groups.group_file(directory)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    way_out.disconnect(network_of(directory))
    os._exit(0)
