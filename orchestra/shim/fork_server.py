"""The fork server of one stack: forks shims and executions on request, keeps the supervisor running, stands behind
every shim.

One thread, one selector, no blocking call: whatever takes time happens in a child. Its children are the supervisor,
shims, executions, and orphans: first processes of containers whose shim was killed, which the kernel hands to it
because it is a subreaper (prctl(2)).
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from errno import EINVAL
from functools import partial
from typing import Any

from orchestra.linux import cgroup, process, unix_socket
from orchestra.linux.syscall import SystemCallError
from orchestra.shim import supervision, wire
from orchestra.shim.child import NOBODY, Child
from orchestra.shim.directory import ContainerDirectory
from orchestra.shim.runtime_shim import execute
from orchestra.shim.shim import LEAVING, TERMINAL, Shim, describe_busy
from orchestra.shim.shim_process import look_after_many, look_after_one, may_wait
from orchestra.shim.state import shim_alive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class ForkServer:
    def __init__(self, run: str, listener: socket.socket, supervisor: supervision.Supervisor) -> None:
        """run: the stack's directory of sockets and containers; listener: the one for requests, which this process has
        begun to listen on; supervisor: running already. The lock is held.
        """
        self.containers = f"{run}/containers"
        self.paths = f"{run}/fork.sock", f"{run}/control.sock"
        self.listener = listener
        self.supervisor = supervisor
        self.selector = selectors.DefaultSelector()
        self.shims: set[Child] = set()
        self.shared_pid = 0  # of the process of those shims that can share one
        self.shared: socket.socket | None = None  # our end of its orders
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.supervisor_done = False

    def open(self) -> None:
        """From here on the end of every child is noticed, also of those that have ended before."""
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self._wake, selectors.EVENT_READ, self._reap)
        os.write(wake, b"\0")

    def serve(self) -> None:
        """Until the supervisor has said it is done and no shim is left."""
        cgroup.at("/orchestra")  # looks at the machine once, and imports
        self._adopt_shims()
        # Children share what is there now; the collector would touch, and so copy, every page of it.
        gc.disable()
        gc.freeze()
        while not (self.supervisor_done and not self.shims and not self._is_wanted()):
            for key, _events in self.selector.select(self._until_next_timer()):
                # What came before in this round may have closed it, and its number may be another's already.
                if self.selector.get_map().get(key.fd) is key:
                    key.data()
            self._run_timers()
        if self.shared is not None:
            self.shared.close()
            os.waitpid(self.shared_pid, 0)
        for path in self.paths:
            os.unlink(path)

    # Requests

    def _accept(self) -> None:
        try:
            connection, _address = self.listener.accept()
        except BlockingIOError:
            return
        connection.setblocking(False)
        pending: tuple[bytearray, list[int]] = (bytearray(), [])
        self.selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection, *pending))
        self._read(connection, *pending)

    def _read(self, connection: socket.socket, buffer: bytearray, fds: list[int]) -> None:
        try:
            data, more = unix_socket.receive(connection, 65536)
        except BlockingIOError:
            return
        except OSError:
            data, more = b"", []
        fds += more
        buffer += data
        if data and not buffer.endswith(b"\n") and len(buffer) < wire.MAX_LINE:
            return
        self.selector.unregister(connection)
        if data:
            self._answer(connection, bytes(buffer), fds)
        connection.close()
        for fd in fds:
            os.close(fd)

    def _answer(self, connection: socket.socket, line: bytes, fds: list[int]) -> None:
        """Fork a child for the request, or say why not. The child answers on its own copy of the connection."""
        connection.setblocking(True)
        try:
            request = wire.decode(line)
            operation = request["op"]
            directory = ContainerDirectory(request["directory"])
            if operation in ("create", "run"):
                error = self._start_shim(connection, directory, start=operation == "run")
            elif operation == "exec":
                error = self._execute(connection, directory, request, fds)
            else:
                raise ValueError(f"no such operation: {operation}")
        except OSError as problem:
            error = wire.describe_error(problem)
        except (ValueError, KeyError, TypeError) as problem:
            error = wire.describe_error(SystemCallError(EINVAL, "request", "", str(problem)))
        if error is not None:
            try:
                wire.send(connection, {"error": error})
            except OSError as problem:
                print(f"nobody hears the answer: {problem}", file=sys.stderr, flush=True)

    def _start_shim(
        self, connection: socket.socket, directory: ContainerDirectory, *, start: bool
    ) -> wire.Message | None:
        for other in [child for child in self.shims if child.directory == directory]:
            if other.channel is not None:
                self._hear_shim(other, other.channel)
            other.leaving = other.leaving or directory.has("exit.json")
            if not other.leaving:
                return dict(describe_busy(directory))
        # Its first process may still be about to be reaped here: nobody shall take it for the new run's.
        directory.remove("state.json", "shim.pid", "exit.json")
        ours, theirs = socket.socketpair()
        with theirs:
            if may_wait(directory):
                kept = [connection.fileno(), theirs.fileno()]
                begin = partial(Shim.create, requester=connection, start=start)
                pid = self._fork(kept, lambda: look_after_one(directory, theirs, begin))
            else:
                order = wire.encode({"directory": directory.path, "start": start})
                pid = self._order(order, [connection.fileno(), theirs.fileno()])
        self._add(Child(directory, pid), ours)
        return None

    def _order(self, order: bytes, fds: list[int]) -> int:
        """Have a container made by the process that makes most of them. Returns its pid."""
        while True:
            orders = self.shared or self._fork_shared()
            try:
                unix_socket.send(orders, order, fds)
                return self.shared_pid
            except (BrokenPipeError, ConnectionResetError):
                # It has just been killed. That its children are ours now is known when it is reaped.
                self._give_up_shared()

    def _fork_shared(self) -> socket.socket:
        self.shared, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.shared_pid = self._fork([theirs.fileno()], lambda: look_after_many(theirs))
        return self.shared

    def _give_up_shared(self) -> None:
        assert self.shared is not None
        self.shared.close()
        self.shared = None

    def _execute(
        self, connection: socket.socket, directory: ContainerDirectory, request: dict[str, Any], fds: list[int]
    ) -> wire.Message | None:
        description = request["process"]
        streams = () if description.get("terminal") else tuple(fds)
        if not description.get("terminal") and len(streams) != 3:
            raise ValueError("exec needs three descriptors or a terminal")
        tied = bool(request.get("tied"))
        kept = [connection.fileno(), *streams]
        self._fork(kept, lambda: execute(directory, description, streams, connection, tied=tied))
        return None

    def _fork(self, kept: list[int], body: Callable[[], object]) -> int:
        """A child that runs ``body`` and never returns; of our descriptors it has the standard ones and ``kept``."""
        pid = os.fork()
        if pid:
            return pid
        try:
            signal.set_wakeup_fd(-1)
            process.close_all_except(kept)
            body()
        except BaseException:
            # The last frame of a forked process: it must not run on in the fork server's loop.
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(1)

    # Shims

    def _add(self, child: Child, channel: socket.socket) -> None:
        channel.setblocking(False)
        child.channel = channel
        self.shims.add(child)
        self.selector.register(channel, selectors.EVENT_READ, lambda: self._hear_shim(child, channel))

    def _hear_shim(self, child: Child, channel: socket.socket) -> None:
        """A shim sends what is to be kept for its container, and that it has nothing to do any more."""
        while child.channel is not None:
            try:
                data, fds = unix_socket.receive(channel, 1)
            except BlockingIOError:
                return
            except OSError:
                data, fds = b"", []
            child.keep(fds, terminal=data == TERMINAL)
            if data == LEAVING:
                child.leaving = True
            if not data:
                self.selector.unregister(channel)
                channel.close()
                child.channel = None
                self._channel_closed(child)

    def _channel_closed(self, child: Child) -> None:
        """The run is over, or the process of the shim is.

        In that case it is only when our own child has been reaped that its orphans are ours.
        """
        over = child.leaving or child.is_over()
        if over or child.pid == 0:
            self.shims.discard(child)
            self._shim_ended(child, cleanly=over)

    def _forget(self, child: Child) -> None:
        if child.channel is not None:
            self.selector.unregister(child.channel)
            child.channel.close()
        child.close()

    def _replace(self, child: Child) -> None:
        """Another shim for a container whose shim was killed. It takes the record over, the old child is forgotten."""
        if child.channel is not None:
            self._hear_shim(child, child.channel)
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
            # It counts as a shim meanwhile, so that nobody believes the container's directory is free.
            child.pid = NOBODY
            self.shims.add(child)

            def replace() -> None:
                self.shims.discard(child)
                self._replace(child)

            self._after(delay, replace)
        else:
            self._replace(child)

    def _adopt_shims(self) -> None:
        """Watch the shims of an earlier fork server, which live on; replace one that died while its run went on."""
        try:
            names = os.listdir(self.containers)
        except FileNotFoundError:
            return
        for name in names:
            directory = ContainerDirectory(f"{self.containers}/{name}")
            if directory.has("shim.pid") and not directory.has("exit.json"):
                self._adopt_shim(Child(directory, 0))

    def _adopt_shim(self, child: Child) -> None:
        """It listens, unless it is gone or just about to record the end."""
        try:
            connection = unix_socket.connect(child.directory.file("shim.sock"))
            wire.send(connection, {"op": "keep"})
        except OSError:
            self._shim_ended(child, cleanly=child.is_over() or shim_alive(child.directory.path))
            return

        def receive() -> None:
            self.selector.unregister(connection)
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
        self.selector.register(connection, selectors.EVENT_READ, receive)

    # Children that ended

    def _reap(self) -> None:
        os.read(self._wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.supervisor.pid:
                self._supervisor_ended(status)
                continue
            if pid == self.shared_pid and self.shared is not None:
                self._give_up_shared()
            shims = [child for child in self.shims if child.pid == pid]
            for child in shims:
                self.shims.discard(child)
                self._shim_ended(child, cleanly=status == 0)
            if not shims:
                self._claim(pid, process.exit_code(status))

    def _claim(self, pid: int, code: int) -> None:
        """An orphan's exit code, for the shim that has taken its container over or soon will."""
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

    # The supervisor

    def _supervisor_ended(self, status: int) -> None:
        if status == 0:
            # Done, until somebody wants it again: the next connection starts it.
            self.supervisor.pid = 0
            self.supervisor_done = True
            self.selector.register(self.supervisor.control, selectors.EVENT_READ, self._supervisor_wanted)
            return
        self._after(self.supervisor.ended(status), self.supervisor.start)

    def _supervisor_wanted(self) -> None:
        self.selector.unregister(self.supervisor.control)
        self.supervisor_done = False
        self.supervisor.start()

    def _is_wanted(self) -> bool:
        """Whether somebody has connected to the control socket since the supervisor was done."""
        return any(key.fileobj is self.supervisor.control for key, _events in self.selector.select(0))

    # Time

    def _after(self, delay: float, action: Callable[[], None]) -> None:
        self.timers.append((time.monotonic() + delay, action))

    def _until_next_timer(self) -> float | None:
        if not self.timers:
            return None
        return max(0.0, min(when for when, _action in self.timers) - time.monotonic())

    def _run_timers(self) -> None:
        now = time.monotonic()
        due = [action for when, action in self.timers if when <= now]
        self.timers = [(when, action) for when, action in self.timers if when > now]
        for action in due:
            action()
