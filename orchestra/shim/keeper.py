"""The part of the fork server that begins, watches, replaces and adopts shims.

The content of a pipe or terminal is lost when no process has it open, so the keeper holds a second descriptor of each.
When the process of a shim is killed, its containers and so their exit codes become ours: we are a subreaper (prctl(2)).
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from errno import EALREADY, EMFILE
from functools import partial

from orchestra.container import open_files, wire
from orchestra.container.directory import ContainerDirectory
from orchestra.linux import process, unix_socket
from orchestra.linux.syscall import SystemCallError
from orchestra.shim.child import NOBODY, Child
from orchestra.shim.shim import FAILED, LEAVING, TERMINAL, Shim
from orchestra.shim.shim_process import look_after_many, look_after_one, may_wait
from orchestra.shim.state import shim_alive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Fork = Callable[[list[int], Callable[[], object]], int]
    After = Callable[[float, Callable[[], None]], None]


class Keeper:
    """shims: of the runs that are not over."""

    def __init__(self, selector: selectors.BaseSelector, fork: Fork, after: After) -> None:
        """fork: run a function in a child that keeps these descriptors; after: call one in so many seconds."""
        self.shims: set[Child] = set()
        self._selector, self._fork, self._after = selector, fork, after
        self._shared_pid = 0  # the process that most shims share
        self._orders: socket.socket | None = None  # our end of its orders

    def close(self) -> None:
        """Called when no shims are left."""
        if self._orders is not None:
            self._orders.close()
            os.waitpid(self._shared_pid, 0)

    def begin(self, connection: socket.socket, directory: ContainerDirectory, *, start: bool) -> wire.Message | None:
        """Begin a run of this container for the client that is connected, and answer it; or return the error."""
        for other in self._of(directory):
            self._hear_shim(other)
        for other in self._of(directory):
            other.leaving = other.leaving or directory.has("exit.json")
            if not other.leaving:
                return wire.describe_error(SystemCallError(EALREADY, "create", directory.name, "its shim is running"))
        # The kernel gives the lowest free number, so that many are in use.
        if connection.fileno() >= open_files.MOST - open_files.FREE:
            return wire.describe_error(SystemCallError(EMFILE, "create", directory.name, "of this stack's fork server"))
        # Its first process may still be about to be reaped here: it must not be taken for the new run's.
        directory.remove("state.json", "shim.pid", "exit.json")
        ours, theirs = socket.socketpair()
        with theirs:
            fds = [connection.fileno(), theirs.fileno()]
            pid = 0 if may_wait(directory) else self._order({"directory": directory.path, "start": start}, fds)
            if not pid:
                begin = partial(Shim.create, requester=connection, start=start)
                pid = self._fork(fds, lambda: look_after_one(directory, theirs, begin))
        self._add(Child(directory, pid), ours)
        return None

    def _of(self, directory: ContainerDirectory) -> list[Child]:
        return [child for child in self.shims if child.directory == directory]

    def _order(self, order: wire.Message, fds: list[int]) -> int:
        """Have the shared process make a container. Returns its pid, or 0 if it has too much to do."""
        if sum(child.pid == self._shared_pid for child in self.shims) >= open_files.SHIMS_OF_ONE_PROCESS:
            return 0
        while True:
            orders = self._orders or self._fork_shared()
            try:
                unix_socket.send(orders, wire.encode(order), fds)
                return self._shared_pid
            except BlockingIOError:
                return 0
            except (BrokenPipeError, ConnectionResetError):
                # It has just been killed. Its children are known to be ours once it has been reaped.
                self._give_up_shared()

    def _fork_shared(self) -> socket.socket:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._orders.setblocking(False)
        with theirs:
            self._shared_pid = self._fork([theirs.fileno()], lambda: look_after_many(theirs))
        return self._orders

    def _give_up_shared(self) -> None:
        assert self._orders is not None
        self._orders.close()
        self._orders = None

    def adopt(self, containers: str) -> None:
        """Watch the shims of an earlier fork server; replace those that died while their runs went on."""
        try:
            names = os.listdir(containers)
        except FileNotFoundError:
            return
        for name in names:
            directory = ContainerDirectory(f"{containers}/{name}")
            if directory.has("shim.pid") and not directory.has("exit.json"):
                self._adopt_shim(Child(directory, 0))

    def reaped(self, pid: int, status: int) -> None:
        """A child of the fork server has ended: the process of a shim or of many, an execution, or an orphan."""
        if pid == self._shared_pid and self._orders is not None:
            self._give_up_shared()
        shims = [child for child in self.shims if child.pid == pid]
        for child in shims:
            self.shims.discard(child)
            self._shim_ended(child, cleanly=status == 0)
        if not shims:
            self._claim(pid, process.exit_code(status))

    def _add(self, child: Child, channel: socket.socket) -> None:
        channel.setblocking(False)
        child.channel = channel
        self.shims.add(child)
        self._selector.register(channel, selectors.EVENT_READ, lambda: self._hear_shim(child))

    def _hear_shim(self, child: Child) -> None:
        if child.channel is None:
            return  # its end is known, or it is not heard yet
        self._take(child)
        if child.channel is None:
            self._channel_closed(child)

    def _take(self, child: Child) -> None:
        """Read what a shim has sent: descriptors to keep for its container, or that it has nothing left to do."""
        while child.channel is not None:
            try:
                data, fds = unix_socket.receive(child.channel, 1)
            except BlockingIOError:
                return
            except OSError:
                data, fds = b"", []
            child.keep(fds, terminal=data == TERMINAL)
            if data == LEAVING:
                child.leaving = True
            if data == FAILED:
                child.exit_code = child.channel.recv(1)[0]
            if not data:
                self._selector.unregister(child.channel)
                child.channel.close()
                child.channel = None

    def _channel_closed(self, child: Child) -> None:
        """Either the run is over, or the process of the shim has ended.

        In the second case its orphans are ours only once our own child has been reaped. Or the shim has left the end of
        the run to another.
        """
        over = child.leaving or child.is_over()
        if over or child.pid == 0 or child.exit_code is not None:
            self.shims.discard(child)
            self._shim_ended(child, cleanly=over)

    def _forget(self, child: Child) -> None:
        if child.channel is not None:
            self._selector.unregister(child.channel)
            child.channel.close()
        child.close()

    def _replace(self, child: Child) -> None:
        """Start another shim for a container whose shim was killed.

        It takes the record over; the old child is forgotten.
        """
        self._take(child)
        if child.leaving or child.is_over() or not os.path.isdir(child.directory.path):
            self._forget(child)
            return
        ours, theirs = socket.socketpair()
        kept = [theirs.fileno()] + ([child.terminal] if child.terminal >= 0 else [])
        directory = child.directory
        adopt = partial(Shim.adopt, terminal=child.terminal, exit_code=child.exit_code)
        with theirs:
            pid = self._fork(kept, lambda: look_after_one(directory, theirs, adopt))
        successor = Child(directory, pid)
        child.hand_over(successor)
        self._forget(child)
        self._add(successor, ours)

    def _shim_ended(self, child: Child, *, cleanly: bool) -> None:
        if cleanly:
            self._forget(child)
            return
        delay = child.backoff.next_delay(time.monotonic() - child.born)
        if delay:
            # It counts as a shim meanwhile, so that the container's directory does not look free.
            child.pid = NOBODY
            self.shims.add(child)

            def replace() -> None:
                if child in self.shims:
                    self.shims.discard(child)
                    self._replace(child)

            self._after(delay, replace)
        else:
            self._replace(child)

    def _adopt_shim(self, child: Child) -> None:
        """It is listening, unless it is gone or just about to record the end."""
        try:
            connection = unix_socket.connect(child.directory.file("shim.sock"))
            wire.send(connection, {"op": "keep"})
        except OSError:
            self._shim_ended(child, cleanly=child.is_over() or shim_alive(child.directory.path))
            return

        def receive() -> None:
            self._selector.unregister(connection)
            connection.setblocking(True)
            try:
                message, fds = wire.receive(connection)
            except OSError:
                self.shims.discard(child)
                self._shim_ended(child, cleanly=child.is_over())
                connection.close()
                return
            child.keep(fds, terminal=bool(message.get("terminal")))
            self._add(child, connection)

        connection.setblocking(False)
        self.shims.add(child)
        self._selector.register(connection, selectors.EVENT_READ, receive)

    def _claim(self, pid: int, code: int) -> None:
        """Give an orphan's exit code to the shim that has taken its container over or soon will."""
        for child in self.shims:
            container = child.directory.load_process("state.json")
            if container is not None and container.pid == pid:
                child.exit_code = code
                if child.channel is not None:
                    try:
                        child.channel.send(b"%d" % code)
                    except OSError:
                        return  # that shim has just been killed too: its successor is told when it is forked
                return
