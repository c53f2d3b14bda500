"""From the options of ``orchestra api`` to a server that runs: sockets, signals, and what is left at the end."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

from orchestra.driver import Part
from orchestra.engine_api.reaper import start_reaper
from orchestra.engine_api.server import Server
from orchestra.engine_api.world import OWN_STACK, World
from orchestra.errors import EnvironmentLack, UserError
from orchestra.linux import private_files, unix_socket
from orchestra.linux.systemd.notify import notify
from orchestra.record import Record
from orchestra.stacks.containers import Known
from orchestra.stacks.down import DownOptions, down

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.stacks.context import Context

FIRST_FD = 3
"""Of those that a service manager hands over, sd_listen_fds(3)."""


class ServeOptions(Record):
    """socket: a path; None for that in the home. idle: seconds without a client after which it ends; None for never.

    read_only: nothing can be changed. stacks: only these are seen; empty for all.
    """

    socket: str | None = None
    idle: float | None = None
    read_only: bool = False
    stacks: tuple[str, ...] = ()


def serve(context: Context, options: ServeOptions, ready: Callable[[str], None]) -> None:
    """Return when it was told to end, or has been idle. ready: called with the address once clients can connect.

    Raises UserError and EnvironmentLack.
    """
    context.need(Part.FILES)
    context.need_privileges()
    stop, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    private_files.make_directories(context.home.stacks_run)
    path = options.socket or context.home.engine_socket
    handed = _handed_over()
    listeners = handed or [_listen(path)]
    world = World(context, read_only=options.read_only, stacks=options.stacks)
    world.events.start()
    if not options.read_only:
        start_reaper(world)
    ready("the sockets of the service manager" if handed else path)
    notify("READY=1")
    try:
        Server(world, listeners, options.idle).serve(stop)
    finally:
        if not handed:
            os.unlink(path)
    if not options.read_only:
        _clear_away(world)


def _listen(path: str) -> socket.socket:
    """Raises UserError if another process listens there, or the path is something else."""
    try:
        unix_socket.connect(path).close()
    except FileNotFoundError:
        pass
    except ConnectionRefusedError:
        pass  # of a process that was killed
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", hint="name another path with --socket") from error
    else:
        raise UserError(f"another process listens at {path}", hint="end it first, or name another path with --socket")
    if os.path.lexists(path) and not _is_socket(path):
        raise UserError(f"{path} exists and is not a socket", hint="name another path with --socket")
    try:
        private_files.make_directories(os.path.dirname(os.path.abspath(path)))
        return unix_socket.listen(os.path.abspath(path))
    except OSError as error:
        raise EnvironmentLack(f"cannot listen at {path}: {error.strerror}") from error


def _is_socket(path: str) -> bool:
    import stat

    return stat.S_ISSOCK(os.lstat(path).st_mode)


def _handed_over() -> list[socket.socket]:
    """Sockets that systemd has opened, which are for this process only."""
    count = os.environ.pop("LISTEN_FDS", "")
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()) or not count.isdecimal():
        return []
    found = []
    for fd in range(FIRST_FD, FIRST_FD + int(count)):
        os.set_inheritable(fd, False)
        found.append(socket.socket(fileno=fd))
    return found


def _clear_away(world: World) -> None:
    """A stack that has nothing left but its network."""
    if world.states.desired(world.context.home.stack(OWN_STACK)) and not any(world.containers_of(OWN_STACK)):
        down(world.context, Known(OWN_STACK, None), DownOptions())
