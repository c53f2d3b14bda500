"""Everything that one decision may look at, with indexes that are built once, and the verdicts so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.observed import Verb
from orchestra.model.resource import Kind, ResourceId
from orchestra.model.wish import Recreate, Wish
from orchestra.plan.backoff import delay
from orchestra.plan.clock import is_waiting
from orchestra.plan.verdict import Blocked, Failed
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.names import ServiceName
    from orchestra.model.observed import Container, Observed
    from orchestra.plan.action import Action
    from orchestra.plan.progress import Progress


GIVE_UP = 7
"""After this many failures in a row, with 6.3 s of waiting in all, a command no longer waits for a success.

The action is still tried again."""


class Departure(Record):
    """Why a container must not run. keep: it is only stopped, not removed."""

    reason: str
    keep: bool = False


class Layout:
    """One desired state with indexes, which every plan for it may use.

    is_shared: whether any container has a namespace or volumes of another one.
    """

    def __init__(self, desired: Desired) -> None:
        self.going_down = not desired.containers and not desired.networks
        self.declared = frozenset(desired.services)
        self.disabled = frozenset(desired.disabled)
        self.unasked = Wish(desired.request.at)
        self.images = {spec.key: spec for spec in desired.images}
        self.specs: dict[str, ContainerSpec] = {spec.name: spec for spec in desired.containers}
        self.of_services = desired.of_services
        self.one_offs = desired.one_offs
        # Replicas of one service may differ, after one has gone back: what they share is as the first of them has it.
        inits = [init for spec in self.of_services for init in spec.pre_start]
        own = [init for spec in self.of_services for init in spec.pre_start if init.initializes == spec.name]
        self.init_containers: dict[str, ContainerSpec] = {init.name: init for init in (*inits, *own)}
        self.replicas: dict[str, list[ContainerSpec]] = {}
        self.stand_ins: dict[str, list[ContainerSpec]] = {}
        self.restarted_with: dict[str, list[ContainerSpec]] = {}
        for spec in sorted(self.of_services, key=_start_order):
            (self.stand_ins if spec.stand_in else self.replicas).setdefault(spec.service, []).append(spec)
            for dependency in spec.depends_on:
                if dependency.restart:
                    self.restarted_with.setdefault(dependency.service, []).append(spec)
        self.earlier = {earlier.spec.name: earlier for earlier in desired.earlier}
        known = (*desired.containers, *self.init_containers.values(), *(each.spec for each in desired.earlier))
        self.is_shared = any(spec.lenders for spec in known)
        # Even without a way back: a container that was just starting when the command came is not in ``earlier``.
        standing_in = (specs[0].service for specs in self.stand_ins.values())
        self.updating = frozenset((*(earlier.spec.service for earlier in desired.earlier), *standing_in))


class Situation:
    """Desired and observed side by side at one moment.

    Policies are asked in the order images, volumes, networks, containers by rank; each verdict is added before the
    next question, so a policy may ask whether what it needs is ``hopeless``: failed, or waiting for what has failed.
    """

    def __init__(
        self,
        desired: Desired,
        observed: Observed,
        in_flight: Mapping[ResourceId, Action],
        now: float,
        layout: Layout | None = None,
    ) -> None:
        """layout: that of ``desired``, if there is one already."""
        layout = layout or Layout(desired)
        self.desired = desired
        self.observed = observed
        self.in_flight = in_flight
        self.now = now
        self.request = desired.request
        self.going_down = layout.going_down
        self.declared, self.disabled, self.updating = layout.declared, layout.disabled, layout.updating
        self._unasked = layout.unasked
        self.images, self.specs, self.earlier = layout.images, layout.specs, layout.earlier
        self.of_services, self.one_offs = layout.of_services, layout.one_offs
        self.init_containers = layout.init_containers
        self.replicas, self.stand_ins = layout.replicas, layout.stand_ins
        self.restarted_with, self.is_shared = layout.restarted_with, layout.is_shared
        self.changed_networks: frozenset[str] = frozenset()
        self.leaving: dict[str, Departure] = {}
        self.to_check: set[str] = set()
        self.replacing: set[str] = set()
        self.begun_replacements: set[str] = set()
        self.progress: dict[str, Progress] = {}
        self.ready: list[Action] = []
        self.blocked: list[Blocked] = []
        self.failed: list[Failed] = []
        self.hopeless: set[ResourceId] = set()

    def wish(self, service: ServiceName) -> Wish:
        """See ``Desired.wish``, which makes a new one each time for a service that no command named."""
        return self.desired.wishes.get(service, self._unasked)

    def wish_of(self, spec: ContainerSpec) -> Wish:
        """What is asked of one container: of that of a one-off command nothing but its run."""
        one_off = spec.one_off
        return self.replica_wish(spec) if one_off is None else Wish(one_off.at, alone=one_off.alone)

    def replica_wish(self, spec: ContainerSpec) -> Wish:
        """See ``Desired.wish_of``."""
        if spec.name in self.desired.apart:
            return self.desired.wish_of(spec)
        return self.desired.wishes.get(spec.service, self._unasked)

    def is_never_replaced(self, spec: ContainerSpec, container: Container) -> bool:
        """Whether the container existed already when a command said that existing containers are kept."""
        wish = self.replica_wish(spec)
        return wish.recreate is Recreate.NEVER and container.created_at < wish.at

    def resources(self, names: Iterable[str]) -> tuple[ResourceId, ...]:
        """Container names as resources, sorted and without duplicates."""
        return tuple(ResourceId.container(name) for name in sorted(set(names)))

    def stop_timeout(self, container: Container) -> float:
        asked = self.desired.stop_timeout(container)
        return container.stop_grace_period if asked is None else asked

    def add(self, verdict: Action | Blocked | Failed | None) -> None:
        """Add a policy's verdict. An action that failed before waits for its back-off, or fails for good."""
        if verdict is None:
            return
        if not isinstance(verdict, (Blocked, Failed)):
            verdict = self.after_failure(verdict)
        if isinstance(verdict, Blocked):
            self.blocked.append(verdict)
            if verdict.waits_for and not self.hopeless.isdisjoint(verdict.waits_for):
                self.hopeless.add(verdict.resource)
        elif isinstance(verdict, Failed):
            self.failed.append(verdict)
            self.hopeless.add(verdict.resource)
        else:
            self.ready.append(verdict)

    def is_waiting(self) -> bool:
        """Whether a blocked resource waits for anything but failed ones. Call it when every verdict has been added.

        From then on ``hopeless`` is complete.
        """
        waiting = [blocked for blocked in self.blocked if blocked.resource not in self.hopeless]
        while lost := [blocked for blocked in waiting if not self.hopeless.isdisjoint(blocked.waits_for)]:
            self.hopeless.update(blocked.resource for blocked in lost)
            waiting = [blocked for blocked in waiting if blocked.resource not in self.hopeless]
        return bool(waiting)

    def after_failure(self, action: Action) -> Action | Blocked | Failed:
        """Return the action, unless the same one has failed since the last command.

        A failure belongs to the kind of action that failed: a resource that cannot be started can be removed. One that
        cannot even be looked at is left alone.
        """
        if not self.observed.failures:
            return action
        resource = action.resource
        failure = self.observed.failures.get(resource)
        kind, name = resource
        spec = self.specs.get(name) if kind is Kind.CONTAINER else None
        asked_at = self.wish_of(spec).at if spec else self.request.at
        if failure is None or failure.at < asked_at or failure.verb not in (action.verb, Verb.LOOK):
            return action
        if not failure.temporary:
            return Failed(resource, failure.error, failure.hint, location=failure.location)
        until = failure.at + delay(failure.attempts - 1)
        if not is_waiting(failure.at, until, self.now):
            return action
        if failure.attempts >= GIVE_UP or failure.in_use:
            hint = failure.hint or "it is tried again in the background"
            self.failed.append(Failed(resource, failure.error, hint, in_use=failure.in_use, location=failure.location))
            self.hopeless.add(resource)
        times = "once" if failure.attempts == 1 else f"{failure.attempts} times"
        again = ((resource, f"to be tried again: {failure.error}"),)
        return Blocked(resource, f"failed {times} to {action.verb}: {failure.error}", until=until, awaited=again)


def _start_order(spec: ContainerSpec) -> tuple[int, str, int]:
    return (spec.rank, spec.service, spec.index)
