"""The supervisor's life: engine and control socket side by side, until the stack is down or the fork server exits."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from orchestra.control.commands import Commands
from orchestra.control.desired_file import load_desired
from orchestra.control.history import append_events
from orchestra.control.life_cycle import LifeCycle
from orchestra.control.one_offs import OneOffs
from orchestra.control.presence import wait_until_lost
from orchestra.control.server import Server
from orchestra.engine.broadcast import in_batches
from orchestra.engine.loop import Engine
from orchestra.engine.updates import follow_updates
from orchestra.errors import FatalError, TemporaryError
from orchestra.linux.process import booted_at
from orchestra.linux.readiness import readable
from orchestra.model.desired import Desired
from orchestra.model.event import ActionEvent, Phase
from orchestra.model.names import StackName
from orchestra.named_tuple import NamedTuple
from orchestra.plan.one_offs import without_lost_runs
from orchestra.shim.supervision import Backoff

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from orchestra.engine.driver import Driver
    from orchestra.home import StackHome


class ForkServer(NamedTuple):
    """The parent process. pipe: is at end of file once it has exited; replace: starts another pair, in a thread."""

    pipe: int
    pidfd: int
    replace: Callable[[], None]


class Host:
    """Runs one stack. clock: Unix seconds, advancing with the event loop's clock. driver_name: for clients."""

    def __init__(
        self, stack_home: StackHome, driver: Driver, clock: Callable[[], float] = time.time, driver_name: str = "local"
    ) -> None:
        self._home = stack_home
        desired, damage = Desired(StackName(stack_home.name)), None
        try:
            desired = without_lost_runs(load_desired(stack_home) or desired, booted_at())
        except FatalError as error:
            print(error.message, file=sys.stderr, flush=True)
            damage = error
        if desired.is_down and damage is None and os.path.exists(stack_home.kept):
            # A ``down`` that the machine's end has interrupted: what is left must not be made whole again.
            import shutil

            shutil.rmtree(stack_home.kept, ignore_errors=True)
        self._engine = Engine(driver, desired, known=damage is None, clock=clock)
        self._commands = Commands(self._engine, driver, stack_home, clock, damage)
        life_cycle = LifeCycle(self._commands, self._engine, driver, clock)
        self._one_offs = OneOffs(self._commands, self._engine, driver, clock)
        self._server = Server(self._commands, life_cycle, self._one_offs, self._engine, stack_home.name, driver_name)

    async def run(self, control: socket.socket, fork_server: ForkServer | None = None) -> None:
        """Return when nothing is desired, nothing is left and no client asks; or when the fork server has exited.

        control: the listening control socket.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._report_failures, name="failure report")
            tasks.start_soon(self._keep_history, name="history of events")
            tasks.start_soon(self._engine.run, name="engine")
            tasks.start_soon(follow_updates, self._engine, self._commands.end_updates, name="ends of updates")
            tasks.start_soon(self._commands.follow_refusals, name="ends of refused changes")
            tasks.start_soon(self._one_offs.keep_books, name="one-off commands")
            tasks.start_soon(self._server.serve, control, name="control socket")
            tasks.start_soon(self._commands.follower.keep, name="follower of files")
            if fork_server is not None:
                tasks.start_soon(self._watch_parent, fork_server, tasks.cancel_scope, name="watch on the fork server")
                tasks.start_soon(self._watch_presence, fork_server, name="watch on sockets and locks")
            await self._wait_until_over()
            self._leave()
            await self._server.say_farewell()
            tasks.cancel_scope.cancel()

    async def _wait_until_over(self) -> None:
        while True:
            await self._engine.wait(self._commands.is_over)
            if not self._server.busy:
                return
            await self._server.answered.wait()

    def _leave(self) -> None:
        """Forget the desired state: there is nothing to carry on with."""
        for path in (self._home.desired, f"{self._home.desired}.new", self._home.following):
            with suppress(FileNotFoundError):
                os.unlink(path)

    async def _watch_parent(self, fork_server: ForkServer, scope: anyio.CancelScope) -> None:
        await anyio.wait_readable(fork_server.pipe)
        print("the fork server has exited: starting another", file=sys.stderr, flush=True)
        backoff = Backoff()
        while True:
            try:
                await anyio.to_thread.run_sync(fork_server.replace)
            except (OSError, TemporaryError) as error:
                delay = backoff.next_delay(0)
                print(f"{error}: trying again in {delay:.2f} s", file=sys.stderr, flush=True)
                await anyio.sleep(delay)
            else:
                break
        scope.cancel()

    async def _watch_presence(self, fork_server: ForkServer) -> None:
        lost = await wait_until_lost(self._home)
        # If it has exited by itself, the descriptor may refer to another process that is now this one's parent.
        if not readable(fork_server.pipe, 0):
            print(f"{lost} has been removed: starting another fork server", file=sys.stderr, flush=True)
            signal.pidfd_send_signal(fork_server.pidfd, signal.SIGKILL)

    async def _keep_history(self) -> None:
        async with self._engine.subscribe() as events:
            await self._engine.wait(lambda _desired, _observed, _plan: True)
            append_events(self._home, [self._engine.snapshot()])
            async for batch in in_batches(events):
                if append_events(self._home, batch):
                    append_events(self._home, [self._engine.snapshot()])

    async def _report_failures(self) -> None:
        async with self._engine.subscribe() as events:
            async for event in events:
                if isinstance(event, ActionEvent) and event.phase is Phase.FAILED:
                    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(event.at))
                    print(f"{moment} {event.verb} {event.resource}: {event.error}", file=sys.stderr, flush=True)
