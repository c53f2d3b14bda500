"""Looks at the world: at everything, and at single containers, whose looks are in order."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import anyio

from orchestra.errors import DriverError, TemporaryError
from orchestra.model.observed import Verb
from orchestra.model.resource import ResourceId
from orchestra.plan.backoff import delay

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from orchestra.engine.driver import Driver
    from orchestra.engine.view import View
    from orchestra.model.desired import Desired
    from orchestra.model.health import Health, Probed
    from orchestra.model.observed import Container, Observed


class Looks:
    """Keeps the view up to date. seen: called when it may have changed; fail: records what could not be done."""

    def __init__(
        self,
        driver: Driver,
        view: View,
        seen: Callable[[], None],
        fail: Callable[[ResourceId, Verb, DriverError], None],
    ) -> None:
        self._driver = driver
        self._view = view
        self._seen = seen
        self._fail = fail
        self._locks: defaultdict[str, anyio.Lock] = defaultdict(lambda: anyio.Lock(fast_acquire=True))
        self._due: set[str] = set()

    async def look_at_everything(self, desired: Desired) -> Observed:
        attempts = 0
        while True:
            try:
                return await self._driver.observe(desired)
            except TemporaryError:
                await anyio.sleep(delay(attempts))
                attempts += 1

    async def follow_events(self, tasks: TaskGroup, doubt: Callable[[], None]) -> None:
        """doubt: called when everything has to be looked at."""
        async for name in self._driver.events():
            if name is None:
                doubt()
            elif name not in self._due:
                self._due.add(name)
                tasks.start_soon(self.look, name, name=f"look at {name}")

    async def look(self, name: str, seen: Container | None = None, mark: int = 0) -> None:
        """Look at one container. Looks at the same container are in order, so a later one shows the newer state.

        seen: as the driver saw it at the end of an action, unless another look has been stored since the mark.
        """
        attempts = 0
        resource = ResourceId.container(name)
        async with self._locks[name]:
            if self._view.has_changed(resource, mark):
                seen = None
            self._due.discard(name)
            while True:
                mark = self._view.mark()
                try:
                    container = seen or await self._driver.inspect(name)
                except TemporaryError:
                    await anyio.sleep(delay(attempts))
                    attempts += 1
                except DriverError as error:
                    self._fail(resource, Verb.LOOK, error)
                    break
                else:
                    if self._view.has_changed(resource, mark):
                        continue  # a full look has shown something else meanwhile, which may be newer
                    self._view.put_container(name, container)
                    self._view.drop_failure(resource, only=Verb.LOOK)
                    break
        self._seen()

    async def record_health(self, name: str, started_at: float, health: Health, probed: Probed | None) -> None:
        """Store it in the world, then in the view: decisions made from it must still hold for the next engine."""
        attempts = 0
        while True:
            async with self._locks[name]:
                try:
                    await self._driver.record_health(name, health, probed)
                except TemporaryError:
                    pass
                except DriverError as error:
                    # It holds all the same, but the next engine has to find it out again.
                    self._fail(ResourceId.container(name), Verb.PROBE, error)
                    self._view.put_health(name, started_at, health)
                    self._seen()
                    break
                else:
                    if self._view.put_health(name, started_at, health):
                        self._seen()
                    break
            await anyio.sleep(delay(attempts))
            attempts += 1
