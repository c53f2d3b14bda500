"""Plans anew only what can have changed since the last plan: nothing, the parts of some containers, or everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.resource import Kind
from orchestra.plan.clock import last_asked_at
from orchestra.plan.parts import is_calm, plan_part, split, together
from orchestra.plan.plan import Plan, plan
from orchestra.plan.situation import Layout
from orchestra.plan.stand_ins import with_stand_ins
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed
    from orchestra.model.resource import ResourceId
    from orchestra.plan.action import Action

SILENT = Plan(converged=True)


class Planner:
    """Holds one desired state, and the last plan, or those of its parts.

    asked: as the last command wants it, given at asked_at (Unix seconds); desired: with the stand-ins of the last plan.
    """

    def __init__(self, asked: Desired) -> None:
        self.asked = asked
        self.desired = asked
        self.asked_at = last_asked_at(asked)
        self._asked = self._layout = Layout(asked)
        self._parts = split(asked)
        self._numbers = {name: number for number, part in enumerate(self._parts) for name in part.names}
        self._plans: dict[int, Plan] | None = None
        self._last: Plan | None = None
        self._basis: tuple[object, ...] = ()

    def spec(self, name: str) -> ContainerSpec | None:
        """That of a container, stand-ins included."""
        return self._layout.specs.get(name)

    def names(self) -> Collection[str]:
        """Of all containers, stand-ins included."""
        return self._layout.specs.keys()

    def plan(
        self, observed: Observed, in_flight: Mapping[ResourceId, Action], changed: Collection[ResourceId], now: float
    ) -> Plan:
        """The plan of the whole stack. changed: what is not as it was when the last plan was made, or is the subject of
        an action that has begun or ended since; except networks, volumes and images, whose changes can be seen.
        """
        basis = observed.networks, observed.volumes, observed.images
        if basis != self._basis:
            self._basis, self._plans, self._last = basis, None, None
        if self._is_in_parts(observed, in_flight, changed):
            self._last = self._plan_parts(observed, in_flight, changed, now)
        elif changed or self.asked.earlier or self._last is None or not _holds(self._last, now):
            self._plans = None
            self.stand_in(observed, in_flight, now)
            self._last = plan(self.desired, observed, in_flight, now, self._layout)
        return self._last

    def stand_in(self, observed: Observed, in_flight: Mapping[ResourceId, Action], now: float) -> None:
        """Find the stand-ins that are needed in this world."""
        if self._parts:
            return
        desired = with_stand_ins(self.asked, observed, now, self._asked, in_flight)
        if desired is not self.desired:
            self.desired = desired
            self._layout = self._asked if desired is self.asked else Layout(desired)

    def _is_in_parts(
        self, observed: Observed, in_flight: Mapping[ResourceId, Action], changed: Collection[ResourceId]
    ) -> bool:
        """Whether the plan is the sum of those of its parts."""
        if len(self._parts) < 2:
            return False
        if self._plans is not None:
            return all(map(self._is_of_a_part, changed))
        if not (observed.containers.keys() <= self._numbers.keys() and all(map(self._is_of_a_part, in_flight))):
            return False
        return is_calm(self.desired, observed)

    def _is_of_a_part(self, resource: ResourceId) -> bool:
        return resource.kind is Kind.CONTAINER and resource.name in self._numbers

    def _plan_parts(
        self, observed: Observed, in_flight: Mapping[ResourceId, Action], changed: Collection[ResourceId], now: float
    ) -> Plan:
        if self._plans is None:
            self._plans = {}
            numbers = set(range(len(self._parts)))
        else:
            numbers = {self._numbers[resource.name] for resource in changed}
            numbers.update(number for number, last in self._plans.items() if last.wake_at and last.wake_at <= now)
        for number in numbers:
            made = plan_part(self._parts[number], observed, in_flight, now)
            if made == SILENT:
                self._plans.pop(number, None)
            else:
                self._plans[number] = made
        whole = together(self._plans[number] for number in sorted(self._plans))
        for number in numbers & self._plans.keys():
            self._plans[number] = replace(self._plans[number], ready=())  # they begin now, which is a change
        return whole


def _holds(last: Plan, now: float) -> bool:
    """Whether a plan for the same world would be the same now. The end of an update is a matter of time alone."""
    return not last.ready and (last.wake_at is None or last.wake_at > now)
