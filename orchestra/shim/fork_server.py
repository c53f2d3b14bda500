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
from typing import Any

from orchestra.linux import cgroup, process, unix_socket
from orchestra.linux.syscall import SystemCallError
from orchestra.shim import supervision, wire
from orchestra.shim.child import Child
from orchestra.shim.directory import ContainerDirectory
from orchestra.shim.runtime_shim import execute, make_shim
from orchestra.shim.shim import LEAVING, TERMINAL, describe_busy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.linux.process import Process


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
        self.shims: dict[int, Child] = {}
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
        for other in [child for child in self.shims.values() if child.directory == directory]:
            if other.channel is not None:
                self._hear_shim(other, other.channel)
            other.leaving = other.leaving or directory.has("exit.json")
            if not other.leaving:
                return dict(describe_busy(directory))
        # Its first process may still be about to be reaped here: nobody shall take it for the new run's.
        directory.remove("state.json", "shim.pid", "exit.json")
        child = Child(directory)
        ours, theirs = socket.socketpair()
        kept = [connection.fileno(), theirs.fileno()]
        pid = self._fork(kept, lambda: make_shim(directory, theirs).create(connection, start=start))
        theirs.close()
        self._watch_channel(child, ours)
        self.shims[pid] = child
        return None

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

    def _watch_channel(self, child: Child, channel: socket.socket) -> None:
        channel.setblocking(False)
        child.channel = channel
        self.selector.register(channel, selectors.EVENT_READ, lambda: self._hear_shim(child, channel))

    def _hear_shim(self, child: Child, channel: socket.socket) -> None:
        """A shim sends what is to be kept for its container, and that it has given up."""
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

    def _forget(self, child: Child) -> None:
        if child.channel is not None:
            self.selector.unregister(child.channel)
            child.channel.close()
        if child.pidfd >= 0:
            self.selector.unregister(child.pidfd)
            os.close(child.pidfd)
        child.close()

    def _replace(self, child: Child) -> None:
        """Another shim for a container whose shim was killed. It takes the record over, the old child is forgotten."""
        if child.channel is not None:
            self._hear_shim(child, child.channel)
        if child.leaving or child.directory.has("exit.json") or not os.path.isdir(child.directory.path):
            self._forget(child)
            return
        ours, theirs = socket.socketpair()
        kept = [theirs.fileno()] + ([child.terminal] if child.terminal >= 0 else [])
        directory, terminal, exit_code = child.directory, child.terminal, child.exit_code
        pid = self._fork(kept, lambda: make_shim(directory, theirs).adopt(terminal, exit_code))
        theirs.close()
        successor = Child(directory)
        child.hand_over(successor)
        self._forget(child)
        self._watch_channel(successor, ours)
        self.shims[pid] = successor

    def _shim_ended(self, child: Child, *, cleanly: bool) -> None:
        if cleanly:
            self._forget(child)
            return
        delay = child.backoff.next_delay(time.monotonic() - child.born)
        if delay:
            # It counts as a shim meanwhile, so that nobody believes the container's directory is free.
            placeholder = -id(child)
            self.shims[placeholder] = child

            def replace() -> None:
                del self.shims[placeholder]
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
            shim = directory.load_process("shim.pid")
            if shim is None or directory.has("exit.json"):
                continue
            child = Child(directory)
            try:
                child.pidfd = process.open_pidfd(shim)
            except ProcessLookupError:
                self._replace(child)
                continue
            self.shims[shim.pid] = child
            self._watch_foreign(child, shim)

    def _watch_foreign(self, child: Child, shim: Process) -> None:
        def ended() -> None:
            del self.shims[shim.pid]
            self.selector.unregister(child.pidfd)
            os.close(child.pidfd)
            child.pidfd = -1
            self._shim_ended(child, cleanly=child.directory.has("exit.json"))

        self.selector.register(child.pidfd, selectors.EVENT_READ, ended)
        try:
            connection = unix_socket.connect(child.directory.file("shim.sock"))
            wire.send(connection, {"op": "keep"})
        except OSError:
            return  # it is just ending: ``ended`` will find out
        connection.setblocking(False)

        def receive() -> None:
            self.selector.unregister(connection)
            try:
                message, fds = wire.receive(connection)
                child.keep(fds, terminal=bool(message.get("terminal")))
            except OSError as error:
                print(f"{child.directory.name}: no second keeper: {error}", file=sys.stderr, flush=True)
            connection.close()

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
            elif pid in self.shims:
                self._shim_ended(self.shims.pop(pid), cleanly=status == 0)
            else:
                self._claim(pid, process.exit_code(status))

    def _claim(self, pid: int, code: int) -> None:
        """An orphan's exit code, for the shim that has taken its container over or soon will."""
        for child in self.shims.values():
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
