"""Ending the run of a container: by request, with a time to end by itself, or by any signal."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from orchestra.driver.local.observe import observe_container
from orchestra.driver.local.pause import unpause
from orchestra.driver.local.record import store_stop
from orchestra.errors import FatalError
from orchestra.linux.process import parse_signal
from orchestra.model.observed import Running
from orchestra.shim.state import Status, state

if TYPE_CHECKING:
    from orchestra.driver.local.container import Containers
    from orchestra.driver.local.runtime.runtime import Runtime
    from orchestra.driver.local.turns import Turns
    from orchestra.driver.local.watch import Watch
    from orchestra.home import StackHome
    from orchestra.model.observed import Container

DEFAULT_SIGNAL = "SIGTERM"
KILL = parse_signal("SIGKILL")
DOUBT = 5.0
"""Seconds after which a run that is to end is looked at although nothing has told of its end."""


class Stopping:
    """Ends runs of the containers of one stack. watch: tells of their ends."""

    def __init__(self, home: StackHome, containers: Containers, runtime: Runtime, turns: Turns, watch: Watch) -> None:
        self._home = home
        self._containers = containers
        self._runtime = runtime
        self._turns = turns
        self._watch = watch

    async def stop(self, name: str, signal: str, timeout: float) -> bool:
        """Return when it has ended; whether the rules must be updated. timeout: seconds until it is killed."""
        change = self._watch.change(name)
        asked = await self._turns.take(self._ask_to_stop, name, signal, timeout <= 0)
        if asked is None:
            return False
        rules_must_follow = False
        with anyio.move_on_after(timeout) if asked != KILL else nullcontext() as limit:
            rules_must_follow = await self._withdraw_at_end(name, change)
        if limit is not None and limit.cancelled_caught:
            change = self._watch.change(name)
            await run_sync(self._runtime.kill, self._home.container(name), KILL)
            rules_must_follow = await self._withdraw_at_end(name, change)
        return rules_must_follow

    async def _withdraw_at_end(self, name: str, change: anyio.Event) -> bool:
        """Wait for the end of a run; with the result of ``withdraw``. change: of the run, from before it was ended."""
        while True:
            with anyio.move_on_after(DOUBT):
                await change.wait()
            change = self._watch.change(name)
            rules_must_follow = await self._turns.take(self._withdraw_if_ended, name)
            if rules_must_follow is not None:
                return rules_must_follow

    def _withdraw_if_ended(self, name: str) -> bool | None:
        if state(self._home.container(name)).status is Status.RUNNING:
            return None
        return self._containers.withdraw(name)

    def _ask_to_stop(self, name: str, signal: str, at_once: bool) -> int | None:
        """Record the request to stop, and send the signal. at_once: and SIGKILL after it.

        Returns the number of the last one; None if the container is not running.
        """
        directory = self._home.container(name)
        container = observe_container(directory)
        if container is None or not isinstance(container.status, Running):
            return None
        number = _signal(container, signal or container.stop_signal)
        store_stop(directory, container.status.started_at)
        self._runtime.kill(directory, number)
        if container.status.paused:
            unpause(directory)  # the signal has no effect before
        if at_once and number != KILL:
            self._runtime.kill(directory, KILL)
            return KILL
        return number


def kill(runtime: Runtime, directory: str, signal: int) -> None:
    """Send a signal to a container's program, if it runs."""
    container = observe_container(directory)
    if container is not None and isinstance(container.status, Running):
        runtime.kill(directory, signal)
        if container.status.paused and signal == KILL:
            unpause(directory)


def _signal(container: Container, name: str) -> int:
    try:
        return parse_signal(name or DEFAULT_SIGNAL)
    except ValueError as error:
        raise FatalError(f"container {container.name}: {error}", hint="correct stop_signal") from None
