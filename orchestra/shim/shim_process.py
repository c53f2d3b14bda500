"""The process of shims: the parent of one container, or of all containers of a stack that do not make it wait.

Forking a Python process costs a copy of every page that either side touches afterwards, in time and in memory. So one
process makes and watches the containers of a stack, each with its own ``Shim``. Only a container that could keep it
waiting, and so its neighbours, has a process to itself.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
from typing import NoReturn

from orchestra.container import hooks, open_files, wire
from orchestra.container.configuration import read_configuration
from orchestra.container.directory import ContainerDirectory
from orchestra.container.isolation import Namespaces
from orchestra.container.settings import load_settings
from orchestra.linux import cgroup, process, unix_socket
from orchestra.shim.runtime_shim import make_shim
from orchestra.shim.shim import Shim, let_go
from orchestra.shim.zygote import LONGEST_ORDER, Zygote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_HOOK = (*hooks.BEFORE_START, "poststart", "poststop")


def may_wait(directory: ContainerDirectory) -> bool:
    """Whether making or ending this container may block its parent: whether it takes more than quick system calls.

    That is so with hooks, another runtime, systemd, a process that decides about system calls, the intermediate process
    of user and time namespaces, and containers whose processes do not end with a PID namespace. It also is for a bundle
    that cannot be read: making its container reports what is wrong.
    """
    try:
        config, settings = read_configuration(directory.load("config.json")), load_settings(directory)
        namespaces = Namespaces(config.linux)
        return (
            "pid" not in namespaces.fresh
            or namespaces.have_process_between
            or hooks.wanted(config, *EVERY_HOOK)
            or bool(settings.runtime or config.linux.seccomp.get("listenerPath"))
            or cgroup.is_scope(config.linux.cgroups_path)
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return True


class ShimProcess:
    def __init__(self) -> None:
        """Become one: with a session and a name of its own, and as the parent of orphans below it."""
        os.setsid()
        process.set_name("orchestra-shim")
        process.become_subreaper()
        self.identity = process.identify(os.getpid())
        self._selector = selectors.DefaultSelector()
        self._shims: list[Shim] = []
        self._orders: socket.socket | None = None
        self._zygote = Zygote(let_go)
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._wake, selectors.EVENT_READ, self._reap)

    def look_after(self, shim: Shim) -> None:
        """A run that it has begun."""
        if shim.over:
            shim.close()
            return
        self._shims.append(shim)
        self._selector.register(shim.selector, selectors.EVENT_READ, lambda: self._turn(shim))

    def obey(self, orders: socket.socket) -> None:
        """Make the containers that are ordered here, each with its requester and its channel to the fork server."""
        self._orders = orders
        self._selector.register(orders, selectors.EVENT_READ, self._hear_order)

    def serve(self) -> None:
        """Until every run is over and no more orders can come."""
        while self._shims or self._orders is not None:
            for key, _events in self._selector.select():
                # An earlier event of this round may have closed it, and its number may be in use again.
                if self._selector.get_map().get(key.fd) is key:
                    key.data()

    def _turn(self, shim: Shim) -> None:
        awaited = shim.awaits_first_process
        shim.turn()
        if shim.over:
            self._dismiss(shim)
        if awaited:
            self._collect_ended()

    def _dismiss(self, shim: Shim) -> None:
        self._shims.remove(shim)
        self._selector.unregister(shim.selector)
        shim.close()

    def _hear_order(self) -> None:
        assert self._orders is not None
        data, fds = unix_socket.receive(self._orders, LONGEST_ORDER)
        if not data:
            self._selector.unregister(self._orders)
            self._orders.close()
            self._orders = None
            return
        order = wire.decode(data)
        requester, parent = (socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fd) for fd in fds)
        shim = Shim(ContainerDirectory(order["directory"]), parent, self.identity, self._zygote)
        shim.create(requester, start=order["start"])
        self.look_after(shim)

    def _reap(self) -> None:
        os.read(self._wake, 4096)
        self._collect_ended()

    def _collect_ended(self) -> None:
        """Collect containers that ended, and orphans of one that shares our PID namespace.

        A container is looked at and left a zombie until its end is on disk: if this process is killed before that, the
        fork server inherits the zombie, and its exit code is still known.
        """
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            shim = next((shim for shim in self._shims if shim.is_parent_of(found.si_pid)), None)
            if shim is not None:
                shim.container_ended(found.si_status + (0 if found.si_code == os.CLD_EXITED else 128))
                self._dismiss(shim)
            elif found.si_pid == self._zygote.pid:
                self._zygote.ended()  # and with it the channels of the processes it has not forked
            elif any(shim.awaits_first_process for shim in self._shims):
                return  # its shim will be known in a moment
            os.waitpid(found.si_pid, 0)


def look_after_one(directory: ContainerDirectory, parent: socket.socket, act: Callable[[Shim], None]) -> NoReturn:
    """The whole life of a process with one shim."""
    shims = ShimProcess()
    shim = make_shim(directory, parent, shims.identity)
    act(shim)
    shims.look_after(shim)
    shims.serve()
    os._exit(0)


def look_after_many(orders: socket.socket) -> NoReturn:
    """The whole life of a process with many shims of a stack."""
    open_files.allow_many()
    # Unlike a process that ends with its container, this one may live long and see many.
    gc.enable()
    shims = ShimProcess()
    shims.obey(orders)
    shims.serve()
    os._exit(0)
