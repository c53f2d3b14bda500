"""The supervisor's life: engine and control socket side by side, until the stack is over or the fork server is gone."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from orchestra.engine.loop import Engine
from orchestra.state.desired import Desired
from orchestra.state.event import ActionEvent, Phase
from orchestra.state.names import StackName
from orchestra.supervisor.commands import Commands
from orchestra.supervisor.desired_file import load_desired
from orchestra.supervisor.server import Server

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from orchestra.engine.driver import Driver
    from orchestra.home import StackHome


class Host:
    """Runs one stack. clock: Unix seconds, advancing with the event loop's."""

    def __init__(self, stack_home: StackHome, driver: Driver, clock: Callable[[], float] = time.time) -> None:
        self._home = stack_home
        desired = load_desired(stack_home) or Desired(StackName(stack_home.name))
        self._engine = Engine(driver, desired, clock=clock)
        self._commands = Commands(self._engine, driver, stack_home, clock)
        self._server = Server(self._commands, self._engine, stack_home.name)

    async def run(
        self, control: socket.socket, parent: int | None = None, heal: Callable[[], None] | None = None
    ) -> None:
        """Returns when nothing is wanted, nothing is left and nobody asks; or when the fork server is gone.

        control: the listening control socket. parent: a descriptor that reads end of file when the fork server is gone;
        ``heal`` is then called, in a thread, to start another pair.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._report_failures, name="failure report")
            tasks.start_soon(self._engine.run, name="engine")
            tasks.start_soon(self._server.serve, control, name="control socket")
            if parent is not None and heal is not None:
                tasks.start_soon(self._watch_parent, parent, heal, tasks.cancel_scope, name="watch on the fork server")
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
        """Forget what was asked for: there is nothing to carry on with."""
        for path in (self._home.desired, f"{self._home.desired}.new"):
            with suppress(FileNotFoundError):
                os.unlink(path)

    async def _watch_parent(self, parent: int, heal: Callable[[], None], scope: anyio.CancelScope) -> None:
        await anyio.wait_readable(parent)
        print("the fork server is gone: starting another", file=sys.stderr, flush=True)
        await anyio.to_thread.run_sync(heal)
        scope.cancel()

    async def _report_failures(self) -> None:
        async with self._engine.subscribe() as events:
            async for event in events:
                if isinstance(event, ActionEvent) and event.phase is Phase.FAILED:
                    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(event.at))
                    print(f"{moment} {event.verb} {event.resource}: {event.error}", file=sys.stderr, flush=True)
