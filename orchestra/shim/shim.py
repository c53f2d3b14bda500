"""The shim: parent of one container for one run. Makes it, keeps its streams, writes its log, records its exit.

A state machine over one selector, which the process it lives in watches: see ``shim_process``. It begins with
``create`` (a new container) or ``adopt`` (one whose shim was killed). It is over when the container's first process
has ended, all its output is in the log and its record is written.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import time
from errno import EALREADY, ECANCELED, EINVAL
from typing import Any

from orchestra.container import hooks, init, oci, open_files, starting, wire
from orchestra.container.configuration import Configuration, read_configuration
from orchestra.container.directory import RUN_FILES, UNFINISHED, DamagedFile, named_process
from orchestra.container.settings import Settings, load_settings
from orchestra.linux import cgroup, process, unix_socket
from orchestra.linux.readiness import readable
from orchestra.linux.syscall import SystemCallError
from orchestra.record import replace
from orchestra.shim import stack_log
from orchestra.shim.finding import find_again
from orchestra.shim.orphan import Orphan
from orchestra.shim.requests import Requests, refuse
from orchestra.shim.streams import Streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from typing import Any

    from orchestra.container.directory import ContainerDirectory
    from orchestra.linux.process import Process
    from orchestra.shim.zygote import Zygote

TERMINAL, STREAMS, LEAVING, FAILED = b"t", b"s", b"x", b"f"  # messages to the fork server
REAPED_SECONDS = 0.5


class Shim:
    """parent: socket to the fork server, which sends the exit code of an orphan and is sent the terminal's master.

    identity: the process that this shim is in; zygote: forks for that process, if it is shared with other shims; over:
    nothing is left to do but ``close``.
    """

    def __init__(
        self, directory: ContainerDirectory, parent: socket.socket, identity: Process, zygote: Zygote | None = None
    ) -> None:
        self.directory = directory
        self.parent = parent
        self.identity = identity
        self.zygote = zygote
        self.over = False
        self.config = Configuration()
        self.settings = Settings()
        self.cgroup = cgroup.Cgroup()
        self.selector = selectors.DefaultSelector()
        self.container: Process | None = None
        self.orphan: Orphan | None = None
        self.started_at: float | None = None
        self.exit_code: int | None = None
        self.ended = False
        self.streams = Streams(self.selector, directory)
        self.requests: Requests | None = None
        self.keepers: list[socket.socket] = []
        self.starting: starting.StartingProcess | None = None
        self.starts_when_made = self.starts_when_created = False
        self.requester: socket.socket | None = None
        self.warnings: list[str] = []

    # The beginning of a run

    def create(self, requester: socket.socket, *, start: bool) -> None:
        """Make the container. With ``start``, the answer comes when its program runs."""
        self.requester = requester
        try:
            self._settle()
            self._load()
            self._make_pipes()
            self.streams.open_log(self.settings.log, self.settings.receiver)
            self._make(start=start)
        except OSError as error:
            self._give_up(wire.describe_error(error))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            hint = wire.describe_failure(error)
            self._give_up({"errno": EINVAL, "call": "config", "path": self.directory.path, "hint": hint})

    def _settle(self) -> None:
        """Become the shim of this directory: once its record can be found, it is listening."""
        if self.zygote is None:
            os.chdir(self.directory.path)
        self._listen()
        self.directory.store("shim.pid", self.identity._asdict())
        self.selector.register(self.parent, selectors.EVENT_READ, self._hear_parent)

    def _load(self) -> dict[str, Any]:
        """Returns the configuration as it is in the file."""
        described = self.directory.load("config.json")
        self.config = read_configuration(described)
        self.settings = load_settings(self.directory)
        self.cgroup = cgroup.at(self.config.linux.cgroups_path, owner=self.directory.path, everywhere=False)
        return described

    def _make_pipes(self) -> None:
        self.directory.remove("state.json", *RUN_FILES[1:])
        if self.settings.caller and not self.streams.call(self.settings.caller):
            self.settings = replace(self.settings, caller="", stdin=False)
        if not self.config.process.get("terminal"):
            self.streams.make_pipes(stdin=self.settings.stdin)

    def _listen(self) -> None:
        operations = {"start": self._start_for, "keep": self._hand_streams, "attach": self._attach}
        self.requests = Requests(self.selector, self.directory.name, operations)
        self.requests.listen(self.directory.file("shim.sock"))

    def _make(self, *, start: bool) -> None:
        self.warnings += self.cgroup.create(self.config.linux.resources)
        pid = 0
        if self.zygote is not None:
            channel = self.zygote.fork(self.directory, self.cgroup)
        else:
            pid, channel = starting.fork(
                self.config, self.settings, self.directory.path, self.cgroup, self.warnings.append, let_go=let_go
            )
        self.starting = starting.StartingProcess(self.config, channel, self._describe, self.warnings.append)
        self.selector.register(channel, selectors.EVENT_READ, self._hear_container)
        # Before the program may run: its output is lost if no process has the pipes open.
        self.streams.open_pipes()
        self.streams.watch_pipes()
        # Hooks must be answered first: then ``start`` is said once the first process has heard of them.
        self.starts_when_created = start and hooks.wanted(self.config, *hooks.BEFORE_START)
        self.starts_when_made = start and not self.starts_when_created
        if pid:
            self._adopt_first_process(pid)
        self._give_keeper(STREAMS, self.streams.kept)

    def _adopt_first_process(self, pid: int) -> None:
        self.container = process.identify(pid)
        if self.starts_when_made:
            self._start()
        else:
            self._store_state()

    @property
    def awaits_first_process(self) -> bool:
        """Whether an unknown child may be this shim's."""
        return self.starting is not None and self.container is None and not self.over

    def _describe(self, status: str) -> dict[str, Any]:
        pid = self.container.pid if self.container and status != "stopped" else 0
        return oci.state(self.directory.name, status, pid, self.directory.path, self.config.annotations)

    def _give_keeper(self, what: bytes, fds: list[int]) -> None:
        """Give the fork server a second descriptor of each: a pipe's content is lost when its last one is closed."""
        try:
            if fds:
                unix_socket.send(self.parent, what, fds)
        except OSError as error:
            stack_log.write(f"{self.directory.name}: no second keeper for its streams: {error}")

    def _store_state(self) -> None:
        assert self.container is not None
        pid, start_time = self.container
        self.directory.store("state.json", {"pid": pid, "start_time": start_time, "started_at": self.started_at})

    def _start(self) -> None:
        """The state is on disk before the program may run: a running container always has a record."""
        assert self.starting is not None
        self.started_at = time.time()
        self._store_state()
        # If it has failed and ended already, the reason is waiting in the channel.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.starting.channel.send(init.START)

    def _hear_container(self) -> None:
        """What the first process says before its program runs; end of file means that it runs."""
        said = self.starting
        assert said is not None
        try:
            is_more = said.hear()
            if said.pid and self.container is None:
                self._adopt_first_process(said.pid)
        except OSError as error:
            self._give_up(wire.describe_error(error))
            return
        if (master := said.take_master()) >= 0:
            self.streams.keep_terminal(master)
            self._give_keeper(TERMINAL, [master])
        if said.created or said.executing:
            self.streams.reader_is_there()
        if is_more:
            if said.created and self.started_at is None:
                self._start() if self.starts_when_created else self._answer_made()
            return
        self.selector.unregister(said.channel)
        said.channel.close()
        self.starting = None
        if not said.executing:
            hint = "killed while it was being set up"
            if self.cgroup.oom_kills():
                hint = "killed while it was being set up: its memory limit is too small"
            self._give_up({"errno": ECANCELED, "call": "create", "path": self.directory.name, "hint": hint})
            return
        try:
            hooks.run_started(self.config, self._describe("running"), self.warnings.append)
        except OSError as error:
            # It has run, so its log and its record are finished as for any other end.
            self._kill_container()
            self._answer({"error": wire.describe_error(error)})
        self._answer_made()

    def _answer_made(self) -> None:
        self._answer({"pid": self.container.pid if self.container else 0, "warnings": self.warnings})

    def _kill_container(self) -> None:
        if self.container is not None and not self.ended:
            os.kill(self.container.pid, signal.SIGKILL)

    def _answer(self, message: wire.Message) -> None:
        if self.requester is None:
            return
        requester, self.requester = self.requester, None
        try:
            wire.send(requester, message)
        except OSError as error:
            stack_log.write(f"{self.directory.name}: the answer cannot be delivered: {error}")
        requester.close()

    def _give_up(self, error: wire.Message) -> None:
        """A container that could not be made leaves nothing behind but the answer."""
        self._kill_container()
        if self.container is not None and not self.ended:
            os.waitpid(self.container.pid, 0)
            self.ended = True
        self._clean()
        if self.starting is not None and self.starting.hooked:
            self._run_last_hooks()
        self.directory.remove("state.json", "shim.pid", *RUN_FILES)
        self._leave()
        self._answer({"error": error})

    def _leave(self) -> None:
        """Tell the fork server before any client learns it: a client may ask for the next run at once."""
        self.over = True
        if self.parent.fileno() >= 0:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.parent.send(LEAVING)

    def close(self) -> None:
        """Let go of everything once it is over."""
        self.selector.close()
        self.streams.close()
        if self.requests is not None:
            self.requests.close()
        if self.starting is not None:
            self.starting.channel.close()
        for connection in (*self.keepers, self.parent):
            connection.close()
        # Callbacks refer to it and it to them: what it holds must not wait until the collector looks at old objects,
        # which it does less often the more there are.
        self.config, self.settings = Configuration(), Settings()
        self.starting = self.requests = self.orphan = None

    # A run whose first shim was killed

    def adopt(self, terminal: int, exit_code: int | None) -> None:
        """Take over. terminal: the master that the fork server kept, or -1; exit_code: if it was reaped already."""
        try:
            self._settle()
            self._load()
        except FileNotFoundError:
            # The directory or its content is being removed.
            self.directory.remove("shim.sock")
            self._leave()
            return
        except DamagedFile as error:
            # Its end can be recorded all the same.
            stack_log.write(f"{self.directory.name}: {error}")
        find_again(self.directory)
        state = self.directory.load_sound("state.json")
        self.container = named_process(state)
        if self.container is None or state.get("started_at") is None:
            # The shim was killed before the start: the first process has noticed and ended, so there is no container.
            self._clean()
            self.directory.remove("state.json", "shim.sock", *UNFINISHED)
            self._leave()
            return
        self.started_at = state["started_at"]
        self.streams.open_log(self.settings.log, self.settings.receiver)
        called = bool(self.settings.caller) and self.streams.call(self.settings.caller)
        if terminal >= 0:
            self.streams.keep_terminal(terminal)
        else:
            self.streams.open_pipes(stdin=called or not self.settings.caller)
            self.streams.reader_is_there()
            self.streams.recover()
            self.streams.watch_pipes()
        self.streams.log.resume()
        if exit_code is not None:
            self.container_ended(exit_code)
            return
        try:
            self.orphan = Orphan(self.container, self.selector, self.container_ended)
        except ProcessLookupError:
            # It was reaped moments ago: if the fork server did that, its message is on its way.
            if readable(self.parent.fileno(), REAPED_SECONDS):
                self._hear_parent()
            if not self.ended:
                self.container_ended(None)

    def _hear_parent(self) -> None:
        """The exit code of an orphan. End of file means that the fork server is gone, which is harmless."""
        try:
            data = self.parent.recv(64)
        except OSError:
            data = b""
        if data:
            self.container_ended(int(data))
            return
        self.selector.unregister(self.parent)
        self.parent.close()
        if self.orphan is not None:
            self.orphan.fork_server_ended()

    # While it runs

    def turn(self) -> None:
        """Handle every event that is ready."""
        for key, _events in self.selector.select(0):
            if self.over:
                return
            # An earlier event of this round may have closed it, and its number may be in use again.
            if self.selector.get_map().get(key.fd) is key:
                key.data()

    def is_parent_of(self, pid: int) -> bool:
        return self.container is not None and self.container.pid == pid and not self.ended

    def container_ended(self, exit_code: int | None) -> None:
        """The container's first process has ended. exit_code: None if it cannot be known."""
        self.exit_code = exit_code
        self.ended = True
        while self.starting is not None and not self.over:
            self._hear_container()
        if not self.over:
            try:
                self._finish()
            except OSError as error:
                self._fail(error, exit_code)

    def _fail(self, error: OSError, exit_code: int | None) -> None:
        """Leave the end of this run to another process, which may try as often as it takes.

        A shim with a process of its own tries again by ending: others know every exit code that it knows.
        """
        if self.zygote is None or exit_code is None:
            raise error
        stack_log.write(f"{self.directory.name}: left to another shim: {error}")
        self.over = True
        with contextlib.suppress(OSError):
            self.parent.send(FAILED + bytes([exit_code]))

    def _start_for(self, connection: socket.socket) -> None:
        if self.started_at is not None or self.container is None:
            hint = "it has been started before" if self.container else "it is still being made"
            refuse(connection, SystemCallError(EALREADY, "start", self.directory.name, hint))
            return
        self.requester = connection
        self._start()

    def _hand_streams(self, connection: socket.socket) -> None:
        """Give them to a new fork server, which has none yet."""
        wire.send(connection, {"terminal": self.streams.terminal >= 0}, self.streams.kept)
        self.keepers.append(connection)  # its end of file means that this run has ended, or this process

    def _attach(self, connection: socket.socket) -> None:
        self.streams.attach(connection)

    # The end of a run

    def _finish(self) -> None:
        """Before the record appears, all output is in the log and everything else of the container is gone."""
        shares_processes = not any(space.type == "pid" and not space.path for space in self.config.linux.namespaces)
        if shares_processes:
            self.cgroup.kill()
        self.streams.drain()
        if self._is_lost():
            self._remove_group()
            self._leave()
            return
        oom_killed = self.cgroup.oom_kills() > 0
        memory_peak = self.cgroup.memory_peak() if oom_killed else 0
        self._clean()
        self._run_last_hooks()
        self.directory.remove("shim.sock")
        record = {
            "exit_code": self.exit_code,
            "oom_killed": oom_killed,
            "memory_peak": memory_peak,
            "started_at": self.started_at,
            "finished_at": time.time(),
        }
        # A deletion that began before this shim took over removes what is unfinished, including this record.
        with contextlib.suppress(FileNotFoundError):
            self.directory.store("exit.json", record)
        self.directory.remove("shim.pid")
        self._leave()
        self.streams.conclude(self.exit_code)

    def _run_last_hooks(self) -> None:
        def warn(text: str) -> None:
            stack_log.write(f"{self.directory.name}: {text}")

        hooks.run_all(self.config, "poststop", self._describe("stopped"), warn)

    def _is_lost(self) -> bool:
        """Whether the directory has been removed, and perhaps holds another container by now."""
        there = self.directory.load_sound("config.json")
        if not there:
            return not self.directory.has("shim.pid")
        return _group_of(there) not in ("", self.config.linux.cgroups_path)

    def _clean(self) -> None:
        self._remove_group()
        self.directory.remove(*RUN_FILES[1:])

    def _remove_group(self) -> None:
        try:
            self.cgroup.remove()
        except OSError as error:
            stack_log.write(f"{self.directory.name}: {error}")


def _group_of(config: Mapping[str, Any]) -> str:
    """The control group, which has the container's id in its name; empty where a configuration names none."""
    linux = config.get("linux")
    return str(linux.get("cgroupsPath") or "") if isinstance(linux, dict) else ""


def let_go(channel: int) -> None:
    """In a container's first process: close everything of the shims except its own channel."""
    gc.disable()
    process.close_all_except([channel])
    open_files.allow_as_given()
