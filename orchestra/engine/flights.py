"""The actions under way, each from its beginning to a fresh look at its effect."""

from __future__ import annotations

import math
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from orchestra.engine.dispatch import LIMITS, Effect, container_of, perform
from orchestra.engine.driver import Measures, failure_of
from orchestra.errors import DriverError, EnvironmentLack, StillInUse
from orchestra.model.event import ActionEvent, Phase, PullEvent
from orchestra.model.observed import Verb
from orchestra.plan.action import CheckContainer, CreateContainer, PullImage, RemoveContainer, StopContainer
from orchestra.plan.earlier import is_refusal
from orchestra.plan.predict import predict
from orchestra.plan.supersede import is_superseded
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.abc import TaskGroup

    from orchestra.engine.driver import Driver
    from orchestra.engine.looks import Looks
    from orchestra.engine.view import View
    from orchestra.errors import OrchestraError
    from orchestra.model.desired import Desired
    from orchestra.model.event import Event
    from orchestra.model.observed import Failure
    from orchestra.model.resource import ResourceId
    from orchestra.plan.action import Action

MEASURING = 0.25
"""Seconds between two looks at the progress of a pull."""


@dataclass(slots=True)
class Flight:
    """An action under way. begun: None while it waits for its turn."""

    action: Action
    scope: anyio.CancelScope
    begun: ActionEvent | None = None


class Flights:
    """desired: the one of the last plan. changed: called for a resource when an action on it begins, and has ended."""

    def __init__(
        self,
        driver: Driver,
        view: View,
        looks: Looks,
        desired: Callable[[], Desired],
        changed: Callable[[ResourceId], None],
        emit: Callable[[Event], None],
        now: Callable[[], float],
    ) -> None:
        self._driver = driver
        self._view = view
        self._looks = looks
        self._desired = desired
        self._changed = changed
        self._emit = emit
        self._now = now
        self._limiters = {kind: anyio.CapacityLimiter(limit) for kind, limit in LIMITS.items()}
        self._bounds: list[int] = []
        self._bound = anyio.CapacityLimiter(math.inf)
        self._under_way: dict[ResourceId, Flight] = {}
        self._actions: dict[ResourceId, Action] = {}  # theirs

    @contextmanager
    def at_most(self, count: int) -> Iterator[None]:
        """Meanwhile, begin no action while that many are under way. The lowest limit holds."""
        self._bounds.append(count)
        self._bound.total_tokens = min(self._bounds)
        try:
            yield
        finally:
            self._bounds.remove(count)
            self._bound.total_tokens = min(self._bounds, default=math.inf)

    def actions(self, *, begun: bool = False) -> dict[ResourceId, Action]:
        """By resource. begun: without those that are waiting for their turn."""
        if not begun:
            return self._actions.copy()
        return {resource: flight.action for resource, flight in self._under_way.items() if flight.begun is not None}

    def on(self, resource: ResourceId) -> Action | None:
        return self._actions.get(resource)

    def events(self) -> tuple[ActionEvent, ...]:
        """The beginnings of those that have begun."""
        return tuple(flight.begun for flight in self._under_way.values() if flight.begun is not None)

    def start(self, action: Action, tasks: TaskGroup) -> None:
        flight = Flight(action, anyio.CancelScope())
        self._under_way[action.resource] = flight
        self._actions[action.resource] = action
        self._changed(action.resource)
        tasks.start_soon(self._act, flight, name=f"{action.verb} {action.resource}")
        if isinstance(action, PullImage) and isinstance(self._driver, Measures):
            tasks.start_soon(self._measure, self._driver, flight, action, name=f"measure {action.resource}")

    def cancel_for(self, desired: Desired) -> None:
        """Cancel what this does not need any more, and what has not begun."""
        for flight in self._under_way.values():
            if flight.begun is None or is_superseded(flight.action, desired):
                flight.scope.cancel()

    def fail(self, resource: ResourceId, verb: Verb, error: OrchestraError) -> None:
        """Record what could not be done at this moment."""
        self._view.put_failure(self._failure(resource, verb, error, self._now()))

    async def _act(self, flight: Flight) -> None:
        action = flight.action
        error: OrchestraError | None = None
        effect = Effect()
        mark = self._view.mark()
        with flight.scope:
            bound = self._bound if self._bounds else nullcontext()
            async with bound, self._limiters.get(type(action)) or nullcontext():
                # Acquiring may succeed even though the action was cancelled meanwhile; then it must not begin.
                await anyio.lowlevel.checkpoint_if_cancelled()
                flight.begun = self._begin(action)
                self._emit(flight.begun)
                try:
                    effect = await perform(self._driver, action)
                except (DriverError, EnvironmentLack) as raised:
                    error = raised
        cancelled = flight.scope.cancelled_caught
        if error is not None and flight.scope.cancel_called:
            error, cancelled = None, True  # a failure caused by cancelling says nothing about the resource
        await self._learn(action, effect, mark, complete=not cancelled and error is None)
        now = self._now()
        begun = flight.begun
        if error is not None and begun is not None:
            failure = self._failure(action.resource, action.verb, error, begun.at)
            if is_refusal(self._desired(), self._view.observed, action, failure):
                self._view.drop_failure(action.resource, all_but=Verb.LOOK)
                self._view.put_refusal(failure)
            else:
                self._view.put_failure(failure)
        elif not cancelled:
            self._view.drop_failure(action.resource, all_but=Verb.LOOK)
        del self._under_way[action.resource], self._actions[action.resource]
        self._changed(action.resource)
        if begun is not None:
            self._emit(
                replace(
                    begun,
                    at=now,
                    phase=Phase.FAILED if error else Phase.CANCELLED if cancelled else Phase.DONE,
                    error=error.message if error else "",
                    hint=error.hint if error else "",
                    seconds=now - begun.at,
                    in_use=isinstance(error, StillInUse),
                    output=effect.output,
                )
            )

    async def _learn(self, action: Action, effect: Effect, mark: int, *, complete: bool) -> None:
        """Bring the view up to date with the effect of an action, complete or not. mark: of when it began."""
        container = container_of(action)
        if isinstance(action, CheckContainer) and not complete:
            return  # nothing was changed
        if container is not None:
            await self._looks.look(container, effect.container, mark)
        elif not complete:
            # It is unknown how far the action got; until it is known, nothing may be decided about this resource.
            self._view.put_seen(action.resource, await self._looks.look_at_everything(self._desired()))
        elif effect.image is not None:
            self._view.put_image(replace(effect.image, pulled_at=self._now()))
        else:
            self._view.put_predicted(action.resource, predict(self._view.observed, action, self._now()))

    async def _measure(self, driver: Measures, flight: Flight, action: PullImage) -> None:
        """Publish the progress of a pull while it is under way, whenever that has changed."""
        last: tuple[int, int] | None = None
        while self._under_way.get(action.resource) is flight:
            try:
                seen = await driver.measure(action.image)
            except DriverError:
                return  # the pull itself reports what is wrong
            if seen is not None and seen != last:
                self._emit(PullEvent(self._now(), action.resource, *seen))
                last = seen
            await anyio.sleep(MEASURING)

    def _begin(self, action: Action) -> ActionEvent:
        service = self._service_of(action)
        replaces = isinstance(action, (StopContainer, RemoveContainer)) and action.replaces
        return ActionEvent(
            self._now(), action.verb, action.resource, Phase.STARTED, action.reason, service=service, replaces=replaces
        )

    def _service_of(self, action: Action) -> str:
        """Empty for an action on a resource that is not a container."""
        if isinstance(action, (CheckContainer, CreateContainer)):
            return action.spec.service
        name = container_of(action)
        found = None if name is None else self._view.observed.containers.get(name)
        return found.service if found else ""

    def _failure(self, resource: ResourceId, verb: Verb, error: OrchestraError, at: float) -> Failure:
        before = self._view.observed.failures.get(resource)
        again = before is not None and before.verb is verb and before.at >= self._desired().request.at
        attempts = before.attempts + 1 if before is not None and again else 1
        return failure_of(resource, verb, error, attempts, at)
