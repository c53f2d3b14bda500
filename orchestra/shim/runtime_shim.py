"""A shim whose container is made by another OCI runtime: its commands replace our own first process.

Everything else is the same. The container becomes a child of the shim, since the shim is a subreaper, or of the fork
server if the shim is killed; its streams are the same pipes, and its terminal comes over a console socket.
"""

from __future__ import annotations

import os
import time
from errno import EBUSY, ECANCELED, ESRCH
from typing import Any, NoReturn

from orchestra.container import execution, wire
from orchestra.container.directory import RUNTIME_STATE
from orchestra.container.init import open_stdin
from orchestra.container.settings import load_settings
from orchestra.linux import cgroup, process, unix_socket
from orchestra.linux.readiness import readable
from orchestra.linux.syscall import SystemCallError
from orchestra.shim.runtime_program import RuntimeProgram, lacks
from orchestra.shim.shim import STREAMS, TERMINAL, Shim

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from orchestra.container.directory import ContainerDirectory
    from orchestra.linux.process import Process

CONSOLE_SECONDS = 5.0


def find_program(directory: ContainerDirectory) -> RuntimeProgram | None:
    """The runtime that the bundle asks for; None for our own."""
    try:
        path = load_settings(directory).runtime
    except FileNotFoundError:
        return None
    return RuntimeProgram(path, directory) if path else None


def make_shim(directory: ContainerDirectory, parent: socket.socket, identity: Process) -> Shim:
    try:
        program = find_program(directory)
    except (OSError, ValueError, AttributeError):
        program = None  # an incomplete bundle: the error comes when the container is made
    return Shim(directory, parent, identity) if program is None else RuntimeShim(directory, parent, identity, program)


class RuntimeShim(Shim):
    def __init__(
        self, directory: ContainerDirectory, parent: socket.socket, identity: Process, program: RuntimeProgram
    ) -> None:
        super().__init__(directory, parent, identity)
        self.program = program
        self.described: dict[str, Any] = {}  # the configuration that the runtime gets

    def _load(self) -> dict[str, Any]:
        self.described = super()._load()
        # The runtime makes the group, so it is not marked as ours.
        self.cgroup = cgroup.at(self.config.linux.cgroups_path)
        return self.described

    def _make(self, *, start: bool) -> None:
        if self.cgroup.processes():
            self.cgroup = cgroup.Cgroup()
            raise SystemCallError(
                EBUSY, "create", self.directory.name, "its cgroup contains processes of another owner"
            )
        self.warnings += lacks(self.described)
        self.program.delete()  # of a run whose shim was killed
        # Keeps its parents: another stack's last container would take them along, and runtimes do not make them again.
        self.cgroup.create({})
        streams: list[int] = []
        console = None
        if self.config.process.get("terminal"):
            console = _Console()
        else:
            streams = self._open_ends()
        try:
            pid = self.program.create(self.described, self.settings.rootfs, streams, console.path if console else "")
            self.container = process.identify(pid)
            if console is not None:
                master = console.receive()
                self.streams.keep_terminal(master)
                self._give_keeper(TERMINAL, [master])
        finally:
            if console is not None:
                console.close()
            for fd in streams:
                os.close(fd)
        # Before the program may run: its output is lost if no process has the pipes open.
        self.streams.open_pipes()
        self.streams.reader_is_there()
        self.streams.watch_pipes()
        self._give_keeper(STREAMS, self.streams.kept)
        if start:
            self._begin()
        else:
            self._store_state()
        self._answer_made()

    def _open_ends(self) -> list[int]:
        """The container's ends, opened to read and write: see the package. The container's user owns them.

        Without input, a pipe without a writer: crun would give the machine's own /dev/null to the root of a container's
        user namespace.
        """
        user = (self.config.process.get("user") or {}).get("uid", 0)
        output = [os.open(name, os.O_RDWR | os.O_CLOEXEC) for name in ("stdout", "stderr")]
        for fd in output:
            os.fchown(fd, user, -1)
        if self.settings.stdin:
            return [open_stdin(self.settings), *output]
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.close(writer)
        return [reader, *output]

    def _start(self) -> None:
        try:
            self._begin()
        except OSError as error:
            self._give_up(wire.describe_error(error))
            return
        self._answer_made()

    def _begin(self) -> None:
        self.started_at = time.time()
        self._store_state()
        self.program.start()

    def _finish(self) -> None:
        if self.started_at is None:
            hint = "killed before it was started"
            self._give_up({"errno": ECANCELED, "call": "create", "path": self.directory.name, "hint": hint})
        else:
            super()._finish()

    def _run_last_hooks(self) -> None:
        """The runtime runs them."""

    def _clean(self) -> None:
        try:
            self.program.delete()
        except OSError as error:
            self.warnings.append(str(error))
        super()._clean()


class _Console:
    """A socket over which a runtime hands the master of a container's terminal (runc's docs/terminals.md)."""

    def __init__(self) -> None:
        os.makedirs(RUNTIME_STATE, mode=0o700, exist_ok=True)
        self._name = f"{RUNTIME_STATE}/console-{os.getpid()}.sock"
        self._listener = unix_socket.listen(self._name)
        # Through this process: the current directory is the container's, whose own path may be too long.
        self.path = f"/proc/{os.getpid()}/cwd/{self._name}"

    def receive(self) -> int:
        if not readable(self._listener.fileno(), CONSOLE_SECONDS):
            raise SystemCallError(ECANCELED, "create", self._name, "the runtime has sent no terminal")
        connection, _address = self._listener.accept()
        with connection:
            _data, fds = unix_socket.receive(connection, 4096)
        if len(fds) != 1:
            raise SystemCallError(ECANCELED, "create", self._name, "the runtime has sent no terminal")
        return fds[0]

    def close(self) -> None:
        self._listener.close()
        os.unlink(self._name)


def execute(
    directory: ContainerDirectory,
    description: Mapping[str, Any],
    streams: Sequence[int],
    connection: socket.socket,
    *,
    tied: bool,
) -> NoReturn:
    """``orchestra.container.execution.execute``, by the runtime that has made the container."""
    program = find_program(directory) if directory.has(RUNTIME_STATE) else None
    if program is None:
        execution.execute(directory, description, streams, connection, tied=tied)
    execution.carry_out(connection, lambda: _execute(program, description, streams, connection, tied=tied))


def _execute(
    program: RuntimeProgram,
    description: Mapping[str, Any],
    streams: Sequence[int],
    connection: socket.socket,
    *,
    tied: bool,
) -> None:
    container = program.directory.load_process("state.json")
    if container is None or not process.is_alive(container):
        raise SystemCallError(ESRCH, "exec", program.directory.name, "the container does not run")
    process.set_name("orchestra-exec")
    process.become_subreaper()
    os.chdir(program.directory.path)
    console = _Console() if description.get("terminal") else None
    fds: list[int] = []
    try:
        pid = program.execute(description, streams, console.path if console else "", connection)
        fds.append(os.pidfd_open(pid))
        if console is not None:
            fds.append(console.receive())
    finally:
        if console is not None:
            console.close()
    for fd in streams:
        os.close(fd)
    execution.attend(connection, pid, fds, [], tied=tied)
