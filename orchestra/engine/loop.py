"""The loop: observe, plan, start the actions that are ready, sleep until something happens.

All state is rebuilt from ``desired`` and the driver's ``observe``, so an engine may be cancelled anywhere, and another
one carries on. Every driver call runs in its own task: a call that hangs delays only its own resource.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from orchestra.engine.broadcast import Broadcast
from orchestra.engine.dispatch import LIMITS, Effect, container_of, perform
from orchestra.engine.driver import Measures, failure_of
from orchestra.engine.health import Probes, Watch
from orchestra.engine.standing import container_state
from orchestra.engine.view import View
from orchestra.errors import DriverError, EnvironmentLack, StillInUse, TemporaryError
from orchestra.model.event import (
    ActionEvent,
    Awaited,
    BlockedEvent,
    ConvergedEvent,
    HealthEvent,
    Phase,
    PullEvent,
    SnapshotEvent,
)
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Failure, Running, Verb
from orchestra.model.resource import Kind, ResourceId
from orchestra.plan.action import CheckContainer, PullImage, RemoveContainer, StopContainer
from orchestra.plan.backoff import delay
from orchestra.plan.earlier import is_refusal
from orchestra.plan.plan import Plan, plan
from orchestra.plan.predict import predict
from orchestra.plan.stand_ins import with_stand_ins
from orchestra.plan.supersede import is_superseded
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream

    from orchestra.engine.driver import Driver
    from orchestra.errors import OrchestraError
    from orchestra.model.desired import Desired
    from orchestra.model.event import Event
    from orchestra.model.health import Health, Probed
    from orchestra.model.observed import Container, Observed
    from orchestra.plan.action import Action

RESYNC = 60.0
"""Seconds after which everything is looked at again, in case an event was lost."""
MEASURING = 0.25
"""Seconds between two looks at the progress of a pull."""
SHORTEST_SLEEP = 0.001
"""Seconds; avoids waking up just before a moment, since clocks round."""


@dataclass(slots=True)
class _Flight:
    """An action under way. began_at: None while it waits for its turn."""

    action: Action
    scope: anyio.CancelScope
    began_at: float | None = None


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
        self._desired = desired
        self._adopted: Desired | None = None
        self._planned_for: Desired | None = None
        self._plan = Plan()
        self._broadcast = Broadcast()
        self._view = View(desired.stack, self._broadcast.send, clock)
        self._probes = Probes(driver, clock, self._record_health, self._look)
        self._flights: dict[ResourceId, _Flight] = {}
        self._limiters = {kind: anyio.CapacityLimiter(limit) for kind, limit in LIMITS.items()}
        self._bounds: list[int] = []
        self._bound = anyio.CapacityLimiter(math.inf)
        self._locks: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)
        self._looks_due: set[str] = set()
        self._wake = anyio.Event()
        self._doubt = anyio.Event()
        self._planned = anyio.Event()
        self._full_look: anyio.CancelScope | None = None

    @property
    def desired(self) -> Desired:
        """The desired state of the last or first plan, with stand-ins; ``set_desired`` takes effect after the next full
        look.
        """
        return self._desired

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
        begun = (flight.action for flight in self._flights.values() if flight.began_at is not None)
        return any(not isinstance(action, PullImage) for action in begun)

    def subscribe(self) -> MemoryObjectReceiveStream[Event]:
        """Every event from now on. Close the stream when done; it ends with ``run``."""
        return self._broadcast.subscribe()

    @contextmanager
    def at_most(self, count: int) -> Iterator[None]:
        """Meanwhile, have at most this many actions under way at once, 1 or more. The lowest limit holds.

        Actions that have begun before are not counted.
        """
        self._bounds.append(count)
        self._bound.total_tokens = min(self._bounds)
        try:
            yield
        finally:
            self._bounds.remove(count)
            self._bound.total_tokens = min(self._bounds, default=math.inf)

    def announce(self, event: Event) -> None:
        """Send an event of another part of the supervisor to every subscriber."""
        self._broadcast.send(event)

    def recap(self) -> list[Event]:
        """The events of everything that has begun and not ended: for a late subscriber."""
        now = self.now()
        events: list[Event] = [*self._under_way()]
        if self._plan.blocked:
            events.append(_blocked(self._plan, self._desired, now))
        for container in self.observed.containers.values():
            status = container.status
            if isinstance(status, Running) and status.health.status is HealthStatus.STARTING:
                events.append(HealthEvent(now, container.name, container.service, status.health))
        return events

    def snapshot(self) -> SnapshotEvent:
        """The state right now. Subscribe in the same step of the event loop to get every event exactly once."""
        containers = (container for _, container in sorted(self.observed.containers.items()))
        blocked = tuple((blocked.resource, blocked.reason) for blocked in self._plan.blocked)
        return SnapshotEvent(self.now(), tuple(map(container_state, containers)), self._under_way(), blocked)

    def _under_way(self) -> tuple[ActionEvent, ...]:
        return tuple(self._begun(flight) for flight in self._flights.values() if flight.began_at is not None)

    def set_desired(self, desired: Desired) -> None:
        """Converge on this instead, from the next full look on, which also cancels actions no longer needed."""
        self._wanted = desired
        if self._full_look is not None:
            self._full_look.cancel()
        self._doubt.set()

    async def wait(self, predicate: Callable[[Desired, Observed, Plan], bool]) -> None:
        """Wait until the predicate holds after a plan made for the latest desired state."""
        while self._planned_for is not self._wanted or not predicate(self._desired, self.observed, self._plan):
            await self._planned.wait()

    async def wait_for_plan(self, *, until: float | None) -> None:
        """Wait until the next plan has been made, or until that moment (Unix seconds)."""
        with anyio.move_on_after(None if until is None else max(SHORTEST_SLEEP, until - self.now())):
            await self._planned.wait()

    async def look_afresh(self) -> None:
        """Look at everything now, and plan for the result."""
        mark = self._view.mark()
        seen = await self._look_at_everything(self._desired)
        self._view.merge(seen, mark, self._flights, images=False)
        self._wake.set()
        await self._planned.wait()

    def in_flight(self, *, begun: bool = False) -> dict[ResourceId, Action]:
        """Actions under way, by resource. begun: without those that are waiting for their turn."""
        flights = self._flights.items()
        return {resource: flight.action for resource, flight in flights if flight.began_at is not None or not begun}

    async def run(self) -> None:
        """Converge until cancelled. Lets bugs through, and raises FatalError if the world cannot be observed at all."""
        try:
            async with self.driver.serving(), anyio.create_task_group() as tasks:
                tasks.start_soon(self._observe, name="full looks")
                tasks.start_soon(self._follow_events, tasks, name="container events")
                while True:
                    if self._adopted is not None:
                        self._step(tasks)
                    await self._sleep()
        finally:
            self._broadcast.close()

    def _step(self, tasks: TaskGroup) -> None:
        """Plan, and start the actions that are ready."""
        before = self._plan
        assert self._adopted is not None
        self._desired = with_stand_ins(self._adopted, self.observed, self.now())
        self._plan = plan(self._desired, self.observed, self.in_flight(), self.now())
        self._planned_for = self._adopted
        for action in self._plan.ready:
            flight = _Flight(action, anyio.CancelScope())
            self._flights[action.resource] = flight
            tasks.start_soon(self._act, flight, name=f"{action.verb} {action.resource}")
            if isinstance(action, PullImage) and isinstance(self.driver, Measures):
                tasks.start_soon(self._measure, self.driver, flight, action, name=f"measure {action.resource}")
        self._probes.watch(self._runs_to_probe(), tasks)
        self._tell(before, self._plan)
        self._planned.set()
        self._planned = anyio.Event()

    async def _sleep(self) -> None:
        wake_at = self._plan.wake_at
        pause = None if wake_at is None else max(SHORTEST_SLEEP, wake_at - self.now())
        with anyio.move_on_after(pause):
            await self._wake.wait()
        self._wake = anyio.Event()

    def _tell(self, before: Plan, after: Plan) -> None:
        now = self.now()
        if after.blocked != before.blocked:
            self._broadcast.send(_blocked(after, self._desired, now))
        if after.converged and (not before.converged or before.failed != after.failed):
            failed = tuple(str(failure) for failure in after.failed)
            self._broadcast.send(ConvergedEvent(now, failed, self._desired.request.at))

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
                seen = await self._look_at_everything(desired)
                self._adopt(desired, seen, mark)
            with anyio.move_on_after(RESYNC):
                await self._doubt.wait()

    async def _look_at_everything(self, desired: Desired) -> Observed:
        attempts = 0
        while True:
            try:
                return await self.driver.observe(desired)
            except TemporaryError:
                await anyio.sleep(delay(attempts))
                attempts += 1

    def _adopt(self, desired: Desired, seen: Observed, mark: int) -> None:
        is_new = desired is not self._adopted
        self._view.merge(seen, mark, self._flights, images=is_new)
        if is_new:
            self._adopted = desired
            self._desired = desired = with_stand_ins(desired, self.observed, self.now())
            for flight in self._flights.values():
                if flight.began_at is None or is_superseded(flight.action, desired):
                    flight.scope.cancel()
        self._wake.set()

    async def _act(self, flight: _Flight) -> None:
        """Run one action from its beginning to a fresh look at its effect."""
        action = flight.action
        error: OrchestraError | None = None
        effect = Effect()
        service = self._service_of(action.resource)
        mark = self._view.mark()
        with flight.scope:
            bound = self._bound if self._bounds else nullcontext()
            async with bound, self._limiters.get(type(action)) or nullcontext():
                # Acquiring may succeed even though the action was cancelled meanwhile; then it must not begin.
                await anyio.lowlevel.checkpoint_if_cancelled()
                flight.began_at = self.now()
                self._broadcast.send(self._begun(flight))
                try:
                    effect = await perform(self.driver, action)
                except (DriverError, EnvironmentLack) as raised:
                    error = raised
        cancelled = flight.scope.cancelled_caught
        if error is not None and flight.scope.cancel_called:
            error, cancelled = None, True  # a failure caused by cancelling says nothing about the resource
        await self._learn(action, effect, mark, complete=not cancelled and error is None)
        now = self.now()
        if error is not None and flight.began_at is not None:
            failure = self._failure(action.resource, action.verb, error, flight.began_at)
            if is_refusal(self._desired, self.observed, action, failure):
                self._view.drop_failure(action.resource, all_but=Verb.LOOK)
                self._view.put_refusal(failure)
            else:
                self._view.put_failure(failure)
        elif not cancelled:
            self._view.drop_failure(action.resource, all_but=Verb.LOOK)
        del self._flights[action.resource]
        self._wake.set()
        if flight.began_at is not None:
            seconds = now - flight.began_at
            text = error.message if error else ""
            phase = Phase.FAILED if error else Phase.CANCELLED if cancelled else Phase.DONE
            hint = error.hint if error else ""
            in_use = isinstance(error, StillInUse)
            begun = self._begun(flight)
            ended = replace(begun, at=now, phase=phase, error=text, hint=hint, seconds=seconds, in_use=in_use)
            self._broadcast.send(replace(ended, service=service, output=effect.output))

    def _begun(self, flight: _Flight) -> ActionEvent:
        action, at = flight.action, flight.began_at or self.now()
        service = self._service_of(action.resource)
        replaces = isinstance(action, (StopContainer, RemoveContainer)) and action.replaces
        return ActionEvent(
            at, action.verb, action.resource, Phase.STARTED, action.reason, service=service, replaces=replaces
        )

    def _service_of(self, resource: ResourceId) -> str:
        """Empty for a resource that is not a container."""
        if resource.kind is not Kind.CONTAINER:
            return ""
        found = self.observed.containers.get(resource.name) or self._desired.container(resource.name)
        return found.service if found else ""

    async def _measure(self, driver: Measures, flight: _Flight, action: PullImage) -> None:
        """Publish the progress of a pull while it is under way, whenever that has changed."""
        last: tuple[int, int] | None = None
        while self._flights.get(action.resource) is flight:
            try:
                seen = await driver.measure(action.image)
            except DriverError:
                return  # the pull itself reports what is wrong
            if seen is not None and seen != last:
                self._broadcast.send(PullEvent(self.now(), action.resource, *seen))
                last = seen
            await anyio.sleep(MEASURING)

    async def _learn(self, action: Action, effect: Effect, mark: int, *, complete: bool) -> None:
        """Bring the view up to date with the effect of an action, complete or not. mark: of when it began."""
        container = container_of(action)
        if isinstance(action, CheckContainer) and not complete:
            return  # nothing was changed
        if container is not None:
            await self._look(container, effect.container, mark)
        elif not complete:
            # It is unknown how far the action got; until it is known, nothing may be decided about this resource.
            self._view.put_seen(action.resource, await self._look_at_everything(self._desired))
        elif effect.image is not None:
            self._view.put_image(replace(effect.image, pulled_at=self.now()))
        else:
            self._view.put_predicted(action.resource, predict(self.observed, action, self.now()))

    def _failure(self, resource: ResourceId, verb: Verb, error: OrchestraError, at: float) -> Failure:
        before = self.observed.failures.get(resource)
        again = before is not None and before.verb is verb and before.at >= self._desired.request.at
        attempts = before.attempts + 1 if before is not None and again else 1
        return failure_of(resource, verb, error, attempts, at)

    def _fail(self, resource: ResourceId, verb: Verb, error: OrchestraError, at: float) -> None:
        self._view.put_failure(self._failure(resource, verb, error, at))

    async def _follow_events(self, tasks: TaskGroup) -> None:
        async for name in self.driver.events():
            if name is None:
                self._doubt.set()
            elif name not in self._looks_due:
                self._looks_due.add(name)
                tasks.start_soon(self._look, name, name=f"look at {name}")

    async def _look(self, name: str, seen: Container | None = None, mark: int = 0) -> None:
        """Look at one container. Looks at the same container are in order, so a later one shows the newer state.

        seen: as the driver saw it at the end of an action, unless another look has been stored since the mark.
        """
        attempts = 0
        async with self._locks[name]:
            if self._view.has_changed(ResourceId.container(name), mark):
                seen = None
            self._looks_due.discard(name)
            while True:
                try:
                    container = seen or await self.driver.inspect(name)
                except TemporaryError:
                    await anyio.sleep(delay(attempts))
                    attempts += 1
                except DriverError as error:
                    self._fail(ResourceId.container(name), Verb.LOOK, error, self.now())
                    break
                else:
                    self._view.put_container(name, container)
                    self._view.drop_failure(ResourceId.container(name), only=Verb.LOOK)
                    break
        self._wake.set()

    def _runs_to_probe(self) -> dict[str, Watch]:
        runs: dict[str, Watch] = {}
        for spec in self._desired.containers:
            container = self.observed.containers.get(spec.name)
            if container is None or container.healthcheck is None or not isinstance(container.status, Running):
                continue
            if container.status.paused:
                continue  # it could not answer
            flight = self._flights.get(ResourceId.container(spec.name))
            if flight is None or not isinstance(flight.action, StopContainer):
                status = container.status
                runs[spec.name] = Watch(spec.name, status.started_at, container.healthcheck, status.health)
        return runs

    async def _record_health(self, name: str, started_at: float, health: Health, probed: Probed | None) -> None:
        """Store it in the world, then in the view: decisions made from it must still hold for the next engine."""
        attempts = 0
        while True:
            async with self._locks[name]:
                try:
                    await self.driver.record_health(name, health, probed)
                except TemporaryError:
                    pass
                except DriverError as error:
                    # It holds all the same, but the next engine has to find it out again.
                    self._fail(ResourceId.container(name), Verb.PROBE, error, self.now())
                    self._view.put_health(name, started_at, health)
                    self._wake.set()
                    break
                else:
                    if self._view.put_health(name, started_at, health):
                        self._wake.set()
                    break
            await anyio.sleep(delay(attempts))
            attempts += 1


def _blocked(plan: Plan, desired: Desired, now: float) -> BlockedEvent:
    reasons = tuple((blocked.resource, blocked.reason) for blocked in plan.blocked)
    services = {ResourceId.container(spec.name): spec.service for spec in desired.containers}
    awaited = (
        Awaited(*entry, blocked.resource, services.get(blocked.resource, ""))
        for blocked in plan.blocked
        for entry in blocked.awaited
    )
    return BlockedEvent(now, reasons, tuple(awaited))
