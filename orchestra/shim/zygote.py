"""The zygote: forks containers' first processes as children of the process that asks, and does nothing else.

A process that forks must copy every page that it still shares with the child before it writes to it; so must the child.
This one touches hardly anything, so neither it nor the process of the shims pays for that.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
from contextlib import suppress
from typing import NoReturn

from orchestra.container import init, wire
from orchestra.container.configuration import read_configuration
from orchestra.container.directory import ContainerDirectory
from orchestra.container.settings import load_settings
from orchestra.linux import cgroup, namespaces, process, unix_socket
from orchestra.linux.syscall import SystemCallError
from orchestra.shim import stack_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.linux.cgroup import Cgroup

LONGEST_ORDER = 16384


class Zygote:
    """let_go: called first in every process forked here, with the only descriptor that must stay open."""

    def __init__(self, let_go: Callable[[int], None]) -> None:
        self._let_go = let_go
        self._orders: socket.socket | None = None
        self.pid = 0

    def ended(self) -> None:
        """It was our child, and has been reaped. The next order starts another."""
        self.pid = 0
        if self._orders is not None:
            self._orders.close()
            self._orders = None

    def fork(self, directory: ContainerDirectory, group: Cgroup) -> socket.socket:
        """Have the first process of this container forked, in a PID namespace of its own. Returns the channel to it.

        Its first message is {"process": pid}, or {"error"} from the zygote. The channel closes when the process has
        ended, or none could be forked.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        birthplace = group.birthplace()
        fds = [theirs.fileno(), *([birthplace] if birthplace >= 0 else ())]
        v1, v2 = group.hierarchy()
        order = wire.encode({"directory": directory.path, "v1": v1, "v2": v2})
        try:
            self._send(order, fds)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            if birthplace >= 0:
                os.close(birthplace)
        return ours

    def _send(self, order: bytes, fds: list[int]) -> None:
        for orders in (self._orders, None):
            try:
                unix_socket.send(orders or self._begin(), order, fds)
                return
            except (BrokenPipeError, ConnectionResetError):
                if orders is None:
                    raise
                # Killed, and about to be reaped.
                self.ended()

    def _begin(self) -> socket.socket:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._let_go(theirs.fileno())
                _serve(theirs, self._let_go)
            except BaseException as error:
                # The last frame of a forked process: it must not run on as a process of shims.
                stack_log.write_failure(error)
            finally:
                os._exit(1)
        theirs.close()
        return self._orders


def _serve(orders: socket.socket, let_go: Callable[[int], None]) -> NoReturn:
    gc.disable()
    gc.freeze()
    signal.set_wakeup_fd(-1)
    process.set_name("orchestra-fork")
    # Containers that share a PID namespace see each other's first processes before their programs run.
    process.hide_origin("orchestra-fork")
    while True:
        order, fds = unix_socket.receive(orders, LONGEST_ORDER)
        if not order:
            os._exit(0)
        channel, *birthplace = fds
        try:
            pid = process.fork_sibling(namespaces.CLONE_NEWPID, *birthplace)
        except SystemCallError as error:
            _say(channel, wire.encode({"error": wire.describe_error(error)}))
        else:
            if pid == 0:
                let_go(channel)
                # Said by itself, so that it comes first: the zygote may have to wait for a processor.
                _say(channel, b'{"process":%s}' % os.readlink(b"/proc/self"))
                _become_first_process(order, channel)
        for fd in fds:
            os.close(fd)


def _say(channel: int, word: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        os.write(channel, word)


def _become_first_process(order: bytes, channel: int) -> NoReturn:
    orders = wire.decode(order)
    directory = ContainerDirectory(orders["directory"])
    config = read_configuration(directory.load("config.json"))
    group = cgroup.at(config.linux.cgroups_path, cgroup.Hierarchy(orders["v1"], orders["v2"]), owner=directory.path)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, channel)
    init.run(config, load_settings(directory), directory.path, group, connection)
