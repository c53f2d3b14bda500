"""The sockets of Docker's Engine API that containers of a stack have (``use_api_socket``), and what answers there.

The supervisor listens, and starts a process for the first client: it ends when it has been idle for a while, and with
the supervisor. A bind mount leads to a socket, not to its path. So the next supervisor, which has to listen anew, puts
its socket over the earlier one in each container that runs.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from orchestra.container.directory import ContainerDirectory
from orchestra.engine.companion import run_companion
from orchestra.linux import private_files, unix_socket
from orchestra.linux.mounts import mount_tree
from orchestra.linux.mounts.mount import MNT_DETACH, unmount
from orchestra.linux.namespaces import CLONE_FS, CLONE_NEWNS, join, unshare
from orchestra.linux.own_thread import in_own_thread
from orchestra.model.mount import ApiAccess, ApiMount
from orchestra.shim.state import Status, state
from orchestra.shim.supervision import Backoff

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from anyio.abc import TaskGroup

    from orchestra.home import StackHome
    from orchestra.model.container import ContainerSpec

MODULE = "orchestra.engine_api"


class ApiSockets:
    """tasks: in which clients are waited for, until they are cancelled."""

    def __init__(self, home: StackHome, tasks: TaskGroup) -> None:
        self._home = home
        self._tasks = tasks
        self._listeners: dict[ApiAccess, socket.socket] = {}

    async def adopt(self, names: Iterable[str]) -> None:
        """Have the sockets of these containers, which an earlier supervisor may have made, lead here."""
        for name in names:
            for access, target in await run_sync(self._find, name):
                self.open(access)
                try:
                    await run_sync(self._lead, name, self._home.api_socket(access), target)
                except OSError as error:
                    print(f"container {name}: its API socket: {error}", file=sys.stderr, flush=True)

    def open_for(self, spec: ContainerSpec) -> None:
        """Before the container is made."""
        for mount in spec.mounts:
            if isinstance(mount, ApiMount):
                self.open(mount.access)

    def open(self, access: ApiAccess) -> None:
        if access not in self._listeners:
            private_files.make_directories(self._home.api_sockets)
            listener = unix_socket.listen(self._home.api_socket(access))
            self._listeners[access] = listener
            self._tasks.start_soon(self._serve, access, listener, name=f"API socket, {access}")

    def close(self) -> None:
        for access, listener in self._listeners.items():
            listener.close()
            with suppress(FileNotFoundError):
                os.unlink(self._home.api_socket(access))

    async def _serve(self, access: ApiAccess, listener: socket.socket) -> None:
        backoff = Backoff()
        while True:
            await anyio.wait_readable(listener)
            began = anyio.current_time()
            fd = listener.fileno()
            arguments = [self._home.name, access.value, str(fd)]
            await run_companion(MODULE, arguments, refusal="the API cannot be served", pass_fds=(fd,))
            await anyio.sleep(backoff.next_delay(anyio.current_time() - began))

    def _find(self, name: str) -> list[tuple[ApiAccess, str]]:
        """What the container was made with: each access, and the path of its socket in the container."""
        paths = {self._home.api_socket(access): access for access in ApiAccess}
        mounts = ContainerDirectory(self._home.container(name)).load_sound("config.json").get("mounts") or ()
        return [(paths[row["source"]], row["destination"]) for row in mounts if row.get("source") in paths]

    def _lead(self, name: str, source: str, target: str) -> None:
        seen = state(self._home.container(name))
        if seen.status in (Status.RUNNING, Status.CREATED):
            in_own_thread(partial(_mount_inside, seen.pid, source, target))


def _mount_inside(pid: int, source: str, target: str) -> None:
    """Put a socket in the place of an earlier one in a container.

    The container may have the path lead elsewhere by now: to another place in it, from which nothing but such a socket
    may be taken away.
    """
    with ExitStack() as opened:

        def open_path(path: str) -> int:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            opened.callback(os.close, fd)
            return fd

        tree = mount_tree.clone(source)
        opened.callback(os.close, tree)
        own = os.stat(source)
        processes = open_path("/proc")
        unshare(CLONE_FS)
        join(f"/proc/{pid}/ns/mnt", CLONE_NEWNS)
        earlier = open_path(target)
        seen = os.fstat(earlier)
        if stat.S_ISSOCK(seen.st_mode) and seen.st_dev == own.st_dev:
            # By its descriptor: the path may lead elsewhere at any time. The container's /proc has no number for us.
            os.fchdir(processes)
            unmount(f"self/fd/{earlier}", MNT_DETACH)
        mount_tree.attach(tree, open_path(target), about=target)
