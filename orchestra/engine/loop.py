"""The loop: observe, plan, start the actions that are ready, sleep until something happens.

All state is rebuilt from ``desired`` and the driver's ``observe``, so an engine may be cancelled anywhere, and another
one carries on. Every driver call runs in its own task: a call that hangs delays only its own resource.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from orchestra.engine.broadcast import Broadcast
from orchestra.engine.flights import Flights
from orchestra.engine.health import Probes, Watch
from orchestra.engine.looks import Looks
from orchestra.engine.planner import Planner
from orchestra.engine.standing import container_state
from orchestra.engine.view import View
from orchestra.model.event import Awaited, BlockedEvent, ConvergedEvent, HealthEvent, SnapshotEvent
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Running
from orchestra.model.resource import Kind, ResourceId
from orchestra.plan.action import PullImage, StopContainer
from orchestra.plan.clock import as_of
from orchestra.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream

    from orchestra.engine.driver import Driver
    from orchestra.errors import OrchestraError
    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.event import Event
    from orchestra.model.observed import Observed, Verb
    from orchestra.plan.action import Action

RESYNC = 60.0
"""Seconds after which everything is looked at again, in case an event was lost."""
SHORTEST_SLEEP = 0.001
"""Seconds; avoids waking up just before a moment, since clocks round."""
LONG_PLAN, PAUSE, LONGEST_PAUSE = 0.001, 2, 0.05
"""After a plan that took more than so many seconds, the next waits so many times as long, but so many seconds at most.

What happens meanwhile is planned for together, so a large stack does not plan anew for each of its containers.
"""


class Engine:
    """Keeps one stack converged on the desired state, for as long as ``run`` runs.

    known: whether ``desired`` is; if not, nothing is done until it is set. clock, ``now``: Unix seconds; must advance
    with ``anyio.current_time``. Not thread-safe: call from the loop that runs it.
    """

    def __init__(
        self, driver: Driver, desired: Desired, *, known: bool = True, clock: Callable[[], float] = time.time
    ) -> None:
        self.driver = driver
        self._known = known
        self.now = clock
        self._wanted = desired
        self._planner = Planner(desired)
        self._adopted: Desired | None = None
        self._planned_for: Desired | None = None
        self._plan = Plan()
        self._broadcast = Broadcast()
        self._view = View(desired.stack, self._broadcast.send, clock)
        self._looks = Looks(driver, self._view, self._wake_up, self._fail)
        self._probes = Probes(driver, clock, self._looks.record_health, self._looks.look)
        self._flights = Flights(
            driver, self._view, self._looks, lambda: self.desired, self._note_change, self._broadcast.send, clock
        )
        self._changes: set[ResourceId] = set()
        self._wake = anyio.Event()
        self._doubt = anyio.Event()
        self._planned = anyio.Event()
        self._full_look: anyio.CancelScope | None = None

    @property
    def desired(self) -> Desired:
        """The desired state of the last or first plan, with stand-ins; ``set_desired`` takes effect after the next full
        look.
        """
        return self._planner.desired

    def spec(self, name: str) -> ContainerSpec | None:
        """That of a container in ``desired``."""
        return self._planner.spec(name)

    @property
    def asked(self) -> Desired:
        """The desired state of the last or first plan as it was given, whatever has happened to the clock."""
        return self._wanted if self._adopted is None else self._adopted

    @property
    def observed(self) -> Observed:
        return self._view.observed

    @property
    def plan(self) -> Plan:
        """The last plan; its actions are under way."""
        return self._plan

    @property
    def is_making(self) -> bool:
        """Whether an action is under way that may leave something behind that no look has seen yet."""
        return any(not isinstance(action, PullImage) for action in self.in_flight(begun=True).values())

    def subscribe(self) -> MemoryObjectReceiveStream[Event]:
        """Every event from now on. Close the stream when done; it ends with ``run``."""
        return self._broadcast.subscribe()

    def at_most(self, count: int) -> AbstractContextManager[None]:
        """Meanwhile, have at most this many actions under way at once, 1 or more. The lowest limit holds.

        Actions that have begun before are not counted.
        """
        return self._flights.at_most(count)

    def announce(self, event: Event) -> None:
        """Send an event of another part of the supervisor to every subscriber."""
        self._broadcast.send(event)

    def recap(self) -> list[Event]:
        """The events of everything that has begun and not ended: for a late subscriber."""
        now = self.now()
        events: list[Event] = [*self._flights.events()]
        if self._plan.blocked:
            events.append(self._blocked(now))
        for container in self.observed.containers.values():
            status = container.status
            if isinstance(status, Running) and status.health.status is HealthStatus.STARTING:
                events.append(HealthEvent(now, container.name, container.service, status.health))
        return events

    def snapshot(self) -> SnapshotEvent:
        """The state right now. Subscribe in the same step of the event loop to get every event exactly once."""
        containers = (container for _, container in sorted(self.observed.containers.items()))
        blocked = tuple((blocked.resource, blocked.reason) for blocked in self._plan.blocked)
        return SnapshotEvent(self.now(), tuple(map(container_state, containers)), self._flights.events(), blocked)

    def set_desired(self, desired: Desired) -> None:
        """Converge on this instead, from the next full look on, which also cancels actions no longer needed."""
        self._wanted = desired
        if self._full_look is not None:
            self._full_look.cancel()
        self._doubt.set()

    async def wait(self, predicate: Callable[[Desired, Observed, Plan], bool]) -> None:
        """Wait until the predicate holds after a plan made for the latest desired state."""
        while self._planned_for is not self._wanted or not predicate(self.desired, self.observed, self._plan):
            await self._planned.wait()

    async def wait_for_plan(self, *, until: float | None) -> None:
        """Wait until the next plan has been made, or until that moment (Unix seconds)."""
        with anyio.move_on_after(None if until is None else max(SHORTEST_SLEEP, until - self.now())):
            await self._planned.wait()

    async def look_afresh(self) -> None:
        """Look at everything now, and plan for the result."""
        mark = self._view.mark()
        seen = await self._looks.look_at_everything(self.desired)
        self._view.merge(seen, mark, self.in_flight(), images=False)
        self._wake.set()
        await self._planned.wait()

    def in_flight(self, *, begun: bool = False) -> dict[ResourceId, Action]:
        """Actions under way, by resource. begun: without those that are waiting for their turn."""
        return self._flights.actions(begun=begun)

    async def run(self) -> None:
        """Converge until cancelled. Lets bugs through, and raises FatalError if the world cannot be observed at all."""
        try:
            async with self.driver.serving(), anyio.create_task_group() as tasks:
                tasks.start_soon(self._observe, name="full looks")
                tasks.start_soon(self._looks.follow_events, tasks, self._doubt_everything, name="container events")
                while True:
                    if self._adopted is not None:
                        await self._gather(self._step(tasks))
                    await self._sleep()
        finally:
            self._broadcast.close()

    def _step(self, tasks: TaskGroup) -> float:
        """Plan, and start the actions that are ready. Returns the seconds that took."""
        began, before = anyio.current_time(), self._plan
        assert self._adopted is not None
        if self.now() < self._planner.asked_at:
            self._plan_for(as_of(self._planner.asked, self.now()))
        changes = self._take_changes()
        self._plan = self._planner.plan(self.observed, self.in_flight(), changes, self.now())
        self._planned_for = self._adopted
        for action in self._plan.ready:
            self._flights.start(action, tasks)
        for resource in changes | self._changes:
            if resource.kind is Kind.CONTAINER:
                self._probes.watch(resource.name, self._run_to_probe(resource), tasks)
        self._tell(before)
        self._planned.set()
        self._planned = anyio.Event()
        return anyio.current_time() - began

    async def _gather(self, took: float) -> None:
        if took > LONG_PLAN:
            await anyio.sleep(min(took * PAUSE, LONGEST_PAUSE))

    async def _sleep(self) -> None:
        wake_at = self._plan.wake_at
        pause = None if wake_at is None else max(SHORTEST_SLEEP, wake_at - self.now())
        with anyio.move_on_after(pause):
            await self._wake.wait()
        self._wake = anyio.Event()

    def _take_changes(self) -> set[ResourceId]:
        changes = self._changes | self._view.take_changes()
        self._changes = set()
        return changes

    def _tell(self, before: Plan) -> None:
        now, after = self.now(), self._plan
        if after.blocked != before.blocked:
            self._broadcast.send(self._blocked(now))
        if after.converged and (not before.converged or before.failed != after.failed):
            failed = tuple(str(failure) for failure in after.failed)
            self._broadcast.send(ConvergedEvent(now, failed, self._wanted.request.at))

    def _blocked(self, now: float) -> BlockedEvent:
        """What the last plan has blocked."""
        reasons = tuple((blocked.resource, blocked.reason) for blocked in self._plan.blocked)
        awaited = (
            Awaited(*entry, blocked.resource, self._service_of(blocked.resource))
            for blocked in self._plan.blocked
            for entry in blocked.awaited
        )
        return BlockedEvent(now, reasons, tuple(awaited))

    def _service_of(self, resource: ResourceId) -> str:
        """That of a container that is wanted; empty for another resource."""
        spec = self._planner.spec(resource.name) if resource.kind is Kind.CONTAINER else None
        return spec.service if spec else ""

    async def _observe(self) -> None:
        """Look at everything: at the start, when the desired state changes, when in doubt, and once in a while."""
        if not self._known:
            await self._doubt.wait()
        while True:
            self._doubt = anyio.Event()
            desired = self._wanted
            mark = self._view.mark()
            self._full_look = anyio.CancelScope()
            with self._full_look:
                seen = await self._looks.look_at_everything(desired)
                self._adopt(desired, seen, mark)
            with anyio.move_on_after(RESYNC):
                await self._doubt.wait()

    def _adopt(self, desired: Desired, seen: Observed, mark: int) -> None:
        is_new = desired is not self._adopted
        self._view.merge(seen, mark, self.in_flight(), images=is_new)
        if is_new:
            former = self._planner.names()
            self._adopted = desired
            self._plan_for(as_of(desired, self.now()))
            self._flights.cancel_for(self.desired)
            self._changes.update(map(ResourceId.container, former), map(ResourceId.container, self._planner.names()))
        self._wake.set()

    def _plan_for(self, desired: Desired) -> None:
        self._planner = Planner(desired)
        self._planner.stand_in(self.observed, self.in_flight(), self.now())

    def _wake_up(self) -> None:
        self._wake.set()

    def _doubt_everything(self) -> None:
        self._doubt.set()

    def _note_change(self, resource: ResourceId) -> None:
        """An action on it has begun or ended: the first is part of a plan, the second is a reason for the next."""
        self._changes.add(resource)
        if self._flights.on(resource) is None:
            self._wake.set()

    def _fail(self, resource: ResourceId, verb: Verb, error: OrchestraError) -> None:
        self._flights.fail(resource, verb, error)

    def _run_to_probe(self, resource: ResourceId) -> Watch | None:
        spec, container = self._planner.spec(resource.name), self.observed.containers.get(resource.name)
        if spec is None or container is None or container.healthcheck is None:
            return None
        status = container.status
        if not isinstance(status, Running) or status.paused:
            return None  # it could not answer
        if isinstance(self._flights.on(resource), StopContainer):
            return None
        return Watch(container.name, status.started_at, container.healthcheck, status.health)
