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
import time
from errno import EINVAL
from typing import Any

from orchestra.container import open_files, wire
from orchestra.container.directory import ContainerDirectory
from orchestra.linux import cgroup, process, unix_socket
from orchestra.linux.syscall import SystemCallError
from orchestra.shim import stack_log, supervision
from orchestra.shim.keeper import Keeper
from orchestra.shim.runtime_shim import execute

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

REQUEST_SECONDS = 5.0
MOST_PENDING = open_files.FREE * 3 // 4
MOST_DESCRIPTORS = 8  # of one request: it needs no more than three streams


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
        self.keeper = Keeper(self.selector, self._fork, self._after)
        self._pending: dict[socket.socket, list[int]] = {}  # no whole request yet: descriptors so far
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.supervisor_done = False

    def open(self) -> None:
        """From here on the end of every child is noticed, even of those that ended earlier."""
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self._wake, selectors.EVENT_READ, self._reap)
        os.write(wake, b"\0")

    def serve(self) -> None:
        """Until the supervisor has said that it is done, and no shim is left."""
        open_files.allow_many()
        cgroup.at("/orchestra")  # looks at the machine once, and imports
        self.keeper.adopt(self.containers)
        # Children share the memory as it is now; the collector would touch, and so copy, every page of it.
        gc.disable()
        gc.freeze()
        while not (self.supervisor_done and not self.keeper.shims and not self._is_wanted()):
            for key, _events in self.selector.select(self._until_next_timer()):
                # An earlier event of this round may have closed it, and its number may be in use again.
                if self.selector.get_map().get(key.fd) is key:
                    key.data()
            self._run_timers()
        self.keeper.close()
        for path in self.paths:
            os.unlink(path)

    # Requests

    def _accept(self) -> None:
        try:
            connection, _address = self.listener.accept()
        except BlockingIOError:
            return
        connection.setblocking(False)
        buffer, fds = bytearray(), self._pending.setdefault(connection, [])
        self.selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection, buffer, fds))
        self._read(connection, buffer, fds)
        if connection in self._pending:
            self._after(REQUEST_SECONDS, lambda: self._abandon(connection))
        if len(self._pending) > MOST_PENDING:
            self._abandon(next(iter(self._pending)))

    def _read(self, connection: socket.socket, buffer: bytearray, fds: list[int]) -> None:
        try:
            data, more = unix_socket.receive(connection, 65536)
        except BlockingIOError:
            return
        except OSError:
            data, more = b"", []
        fds += more
        buffer += data
        if data and not buffer.endswith(b"\n") and len(buffer) < wire.MAX_LINE and len(fds) <= MOST_DESCRIPTORS:
            return
        self._settle(connection)
        if data:
            self._answer(connection, bytes(buffer), fds)
        _close(connection, fds)

    def _abandon(self, connection: socket.socket) -> None:
        """Drop a connection that has not asked in time, or has waited the longest of too many."""
        fds = self._pending.get(connection)
        if fds is not None:
            self._settle(connection)
            _close(connection, fds)

    def _settle(self, connection: socket.socket) -> None:
        """Stop waiting for this connection."""
        del self._pending[connection]
        self.selector.unregister(connection)

    def _answer(self, connection: socket.socket, line: bytes, fds: list[int]) -> None:
        """Fork a child for the request, or say why not. The child answers on its own copy of the connection."""
        connection.setblocking(True)
        try:
            request = wire.decode(line)
            operation = request["op"]
            if operation == wire.PING:
                wire.send(connection, {})
                return
            if operation == wire.NAMES:
                self._fork([connection.fileno()], lambda: _serve_names(request, connection))
                return
            directory = ContainerDirectory(request["directory"])
            if operation in ("create", "run"):
                error = self.keeper.begin(connection, directory, start=operation == "run")
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
                stack_log.write(f"the answer cannot be delivered: {problem}")

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
        """Fork a child that runs ``body`` and never returns.

        Of our descriptors it keeps the standard ones and ``kept``.
        """
        pid = os.fork()
        if pid:
            return pid
        try:
            signal.set_wakeup_fd(-1)
            process.close_all_except(kept)
            open_files.allow_as_given()
            body()
        except BaseException as error:
            # The last frame of a forked process: it must not run on in the fork server's loop.
            stack_log.write_failure(error)
        finally:
            os._exit(1)

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
            else:
                self.keeper.reaped(pid, status)

    # The supervisor

    def _supervisor_ended(self, status: int) -> None:
        if status == 0:
            # It is done until a client needs it again: the next connection starts it.
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
        """Whether a client has connected to the control socket since the supervisor was done."""
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


def _serve_names(order: wire.Message, connection: socket.socket) -> None:
    """In a child: only that one needs the modules."""
    from orchestra.names.process import serve

    serve(order, connection)


def _close(connection: socket.socket, fds: list[int]) -> None:
    connection.close()
    for fd in fds:
        os.close(fd)
