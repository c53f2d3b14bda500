"""From the options of ``orchestra api`` to a server that runs: sockets, signals, and what is left at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.driver import Part
from orchestra.engine_api.server import Server
from orchestra.engine_api.world import OWN_STACK, World
from orchestra.linux import private_files
from orchestra.linux.systemd.notify import notify
from orchestra.record import Record
from orchestra.stacks.containers import Known
from orchestra.stacks.down import DownOptions, down
from orchestra.stacks.sockets import handed_over, listen_at, told_to_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.stacks.context import Context


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
    stop = told_to_end()
    private_files.make_directories(context.home.stacks_run)
    path = options.socket or context.home.engine_socket
    handed = handed_over()
    listeners = handed or [listen_at(path, "--socket")]
    world = World(context, read_only=options.read_only, stacks=options.stacks)
    ready("the sockets of the service manager" if handed else path)
    notify("READY=1")
    try:
        serve_world(world, Server(world, listeners, options.idle), stop)
    finally:
        if not handed:
            os.unlink(path)


def serve_world(world: World, server: Server, stop: int) -> None:
    """Until the server is idle, or ``stop``, a descriptor, is readable."""
    world.events.start()
    server.serve(stop)
    if not world.read_only:
        _clear_away(world)


def _clear_away(world: World) -> None:
    """A stack that has nothing left but its network."""
    if world.states.desired(world.context.home.stack(OWN_STACK)) and not any(world.containers_of(OWN_STACK)):
        down(world.context, Known(OWN_STACK, None), DownOptions())
