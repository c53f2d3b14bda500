"""Health probes: one task per running container with a healthcheck. ``plan.health`` decides when, and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from orchestra.engine.driver import ProbeResult
from orchestra.errors import DriverError
from orchestra.model.health import Health, HealthStatus, Probed
from orchestra.plan.health import next_probe, step
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from orchestra.engine.driver import Driver
    from orchestra.model.observed import Healthcheck


class Watch(Record):
    """One run of a container to be probed. health: its health when probing begins."""

    name: str
    started_at: float
    healthcheck: Healthcheck
    health: Health

    def is_same_run(self, other: Watch | None) -> bool:
        """Whether both probe the same run in the same way."""
        return other is not None and self.started_at == other.started_at and self.healthcheck == other.healthcheck


class Probes:
    """record: stores a result, in the world and in the view; called once per result that changes anything.

    look: looks at a container again; called when a probe could not even be run.
    """

    def __init__(
        self,
        driver: Driver,
        now: Callable[[], float],
        record: Callable[[str, float, Health, Probed | None], Awaitable[None]],
        look: Callable[[str], Awaitable[None]],
    ) -> None:
        self._driver = driver
        self._now = now
        self._record = record
        self._look = look
        self._watched: dict[str, tuple[Watch, anyio.CancelScope]] = {}

    def watch(self, name: str, wanted: Watch | None, tasks: TaskGroup) -> None:
        """Probe this run of the container from now on, and no other one."""
        if name in self._watched and not self._watched[name][0].is_same_run(wanted):
            self._watched.pop(name)[1].cancel()
        if wanted is not None and name not in self._watched:
            scope = anyio.CancelScope()
            self._watched[name] = (wanted, scope)
            tasks.start_soon(self._probe, wanted, scope, name=f"health of {name}")

    async def _probe(self, watch: Watch, scope: anyio.CancelScope) -> None:
        health = watch.health
        with scope:
            if health.status is HealthStatus.NONE:
                health = Health(HealthStatus.STARTING)
                await self._record(watch.name, watch.started_at, health, None)
            while True:
                probe = next_probe(watch.healthcheck, watch.started_at, health)
                # Never longer, although the clock may have been set back since the last probe.
                longest = max(watch.healthcheck.interval, watch.healthcheck.start_interval)
                await anyio.sleep(max(0.0, min(probe.at - self._now(), longest)))
                began = self._now()
                try:
                    result = await self._driver.probe(watch.name, watch.healthcheck.test, timeout=probe.timeout)
                except DriverError as error:
                    reason = error.message.removeprefix(f"container {watch.name}: ")
                    result = ProbeResult(None, f"the health check cannot be run: {reason}")
                    await self._look(watch.name)
                before = health.status
                now, code = self._now(), result.exit_code
                health = step(health, watch.healthcheck, watch.started_at, probe, code, result.output, now)
                if not probe.early or health.status is not before:
                    await self._record(watch.name, watch.started_at, health, Probed(began, now, code, result.output))
