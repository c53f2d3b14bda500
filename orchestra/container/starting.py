"""A container's process as its maker sees it: forking it, listening until its program runs, running its hooks.

The other side of ``init``. Used by the shim, which has other things to listen to, and by ``orchestra-runtime``.
"""

from __future__ import annotations

import socket

from orchestra.container import hooks, init, isolation, oci, sysctls, wire
from orchestra.linux import process, unix_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from orchestra.container.configuration import Configuration
    from orchestra.container.settings import Settings
    from orchestra.linux.cgroup import Cgroup

    Warn = Callable[[str], None]


LONGEST_MESSAGE = 65536


def fork(
    config: Configuration,
    settings: Settings,
    bundle: str,
    group: Cgroup,
    warn: Warn,
    *,
    gate: socket.socket | None = None,
    let_go: Callable[[int], None],
) -> tuple[int, socket.socket]:
    """Fork a container's first process. Returns its pid, a child of ours, and the channel to it.

    let_go: called first in the child, to drop what belongs to its maker; gets the descriptor of its end of the channel.
    """
    linux = config.linux
    sysctls.check(linux)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # In a shared PID namespace, others see the process from its birth.
    with process.shown_as("orchestra-init"):
        pid = isolation.fork(linux, group)
        if pid == 0:
            # Held open here, it would keep this process waiting for a maker that was killed.
            ours.close()
            let_go(theirs.fileno())
            init.run(config, settings, bundle, group, theirs, gate)
    theirs.close()
    return isolation.await_first_process(pid, ours, linux, warn), ours


class StartingProcess:
    """What a container's first process has said so far; or a program that is executed later, which says less.

    created: only ``start`` is missing; executing: its last word, after which the channel closes by itself; master: of
    its terminal, or -1; hooked: hooks have been run for it, so those of the end are due as well.
    """

    def __init__(
        self,
        config: Configuration,
        channel: socket.socket,
        describe: Callable[[str], dict[str, Any]],
        warn: Warn,
        executed: int = 0,
    ) -> None:
        """describe: the state of the container for others, with the status it is called with.

        executed: the pid of a process that is none of the above, but one that is executed in the container later.
        """
        self._config, self.channel, self._describe, self._warn, self._executed = (
            config,
            channel,
            describe,
            warn,
            executed,
        )
        self.created = self.executing = self.hooked = False
        self.master = -1
        self.pid = 0

    def hear(self) -> bool:
        """Read the next message; False if there are no more. Raises the error if the process or a hook failed."""
        data, fds = self._receive()
        if not data:
            return False
        message = wire.decode(data)
        if "error" in message:
            raise wire.rebuild_error(message["error"])
        if "warning" in message:
            self._warn(message["warning"])
        if "process" in message:
            self.pid = message["process"]
        if "terminal" in message:
            self.master = fds[0]
        if "prepared" in message:
            self._run_hooks()
        if "listener" in message:
            state = self._describe("created")
            oci.send_listener(self._config.linux.seccomp, fds[0], self._executed or state["pid"], state)
            self.channel.send(isolation.GO)
        self.created = self.created or "created" in message
        self.executing = self.executing or "executing" in message
        return True

    def take_master(self) -> int:
        """The master, which the caller must close; -1 if none has come, or it has been taken."""
        master, self.master = self.master, -1
        return master

    def _receive(self) -> tuple[bytes, list[int]]:
        try:
            return unix_socket.receive(self.channel, LONGEST_MESSAGE)
        except ConnectionResetError:
            # It ended without reading everything it was sent; what it said before that comes next.
            return unix_socket.receive(self.channel, LONGEST_MESSAGE)

    def _run_hooks(self) -> None:
        self.hooked = True
        state = self._describe("creating")
        # Version 1.0 of the specification ran the first kind when the container is created, and later replaced it.
        hooks.run(self._config, "prestart", {**state, "status": "created"})
        hooks.run(self._config, "createRuntime", state)
        try:
            self.channel.send(wire.encode(state))
        except BrokenPipeError:
            return  # it ended meanwhile: what it said comes next
