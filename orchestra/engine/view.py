"""What the engine knows about the world: the last look at everything, updated by looks at single resources.

A full look takes time, and its report on a resource may be older than a single look made meanwhile. Each change
is therefore numbered, and a full look never overwrites what changed after it began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from orchestra.model.event import ContainerEvent, HealthEvent
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Container, Exited, Failure, Observed, Running
from orchestra.model.resource import Kind, ResourceId
from orchestra.plan.predict import with_container
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from orchestra.model.event import Event
    from orchestra.model.health import Health
    from orchestra.model.names import StackName
    from orchestra.model.observed import Image, Verb

V = TypeVar("V")


class View:
    def __init__(self, stack: StackName, emit: Callable[[Event], None], now: Callable[[], float]) -> None:
        self.observed = Observed(stack)
        self._emit = emit
        self._now = now
        self._count = 0
        self._changed: dict[ResourceId, int] = {}
        self._unplanned: set[ResourceId] = set()
        self._complete = False

    def take_changes(self) -> set[ResourceId]:
        """The containers of which something else is known than when this was called last, and what has failed since."""
        changes, self._unplanned = self._unplanned, set()
        return changes

    def mark(self) -> int:
        """Return a number to pass to ``merge`` or ``has_changed`` when the look that begins now has ended."""
        return self._count

    def merge(self, seen: Observed, mark: int, busy: Collection[ResourceId], *, images: bool) -> None:
        """Merge a full look. busy: resources with an action under way, which ends with a look of its own.

        images: also update which images the references name; False keeps the known ones, so that a tag that was moved
        replaces no container until the next command.
        """

        def settled(resource: ResourceId) -> bool:
            return resource not in busy and self._changed.get(resource, -1) <= mark

        before = self.observed
        for name in sorted(before.containers.keys() | seen.containers.keys()):
            if settled(ResourceId.container(name)):
                container = _with_newer_health(before.containers.get(name), seen.containers.get(name))
                self._put_container(name, container)
        self.observed = replace(
            self.observed,
            networks=_chosen(Kind.NETWORK, before.networks, seen.networks, settled),
            volumes=_chosen(Kind.VOLUME, before.volumes, seen.volumes, settled),
        )
        if images:
            images_seen = {key: _pulled_as_before(image, before.images.get(key)) for key, image in seen.images.items()}
            self.observed = replace(self.observed, images=_chosen(Kind.IMAGE, before.images, images_seen, settled))
        self._complete = True

    def has_changed(self, resource: ResourceId, mark: int) -> bool:
        """Whether a look at this resource has been stored since the mark."""
        return self._changed.get(resource, -1) > mark

    def put_container(self, name: str, container: Container | None) -> None:
        """Store the result of a look at one container."""
        self._touch(ResourceId.container(name))
        self._put_container(name, container)

    def put_health(self, name: str, started_at: float, health: Health) -> bool:
        """Store the health of the run that began at ``started_at``; do nothing if that run is over.

        Returns whether a new plan is needed: a container that stays healthy changes nothing.
        """
        container = self.observed.containers.get(name)
        if container is None or not isinstance(container.status, Running) or container.status.started_at != started_at:
            return False
        before = container.status.health
        changed = replace(container, status=replace(container.status, health=health))
        self.observed = with_container(self.observed, name, changed)
        if before.status != health.status:
            self._emit(HealthEvent(self._now(), container.name, container.service, health))
        if before.status == health.status == HealthStatus.HEALTHY:
            return False
        self._unplanned.add(ResourceId.container(name))
        return True

    def put_image(self, image: Image) -> None:
        self._touch(ResourceId.image(image.key))
        self.observed = replace(self.observed, images={**self.observed.images, image.key: image})

    def put_seen(self, resource: ResourceId, seen: Observed) -> None:
        """Merge only the part of a full look that concerns one network, volume or image."""
        self._touch(resource)
        kind, name = resource
        here = self.observed
        match kind:
            case Kind.NETWORK:
                self.observed = replace(here, networks=_with(here.networks, name, seen.networks.get(name)))
            case Kind.VOLUME:
                self.observed = replace(here, volumes=_with(here.volumes, name, seen.volumes.get(name)))
            case Kind.IMAGE:
                image = seen.images.get(name)
                known = None if image is None else _pulled_as_before(image, here.images.get(name))
                self.observed = replace(here, images=_with(here.images, name, known))
            case _:
                raise ValueError(f"{resource} is observed on its own")

    def put_predicted(self, resource: ResourceId, predicted: Observed) -> None:
        """Merge the world as it is after a successful call whose effect is known beforehand."""
        self._touch(resource)
        self._unplanned.add(resource)
        self.observed = predicted

    def put_failure(self, failure: Failure) -> None:
        self._unplanned.add(failure.resource)
        self.observed = replace(self.observed, failures={**self.observed.failures, failure.resource: failure})

    def put_refusal(self, failure: Failure) -> None:
        """Record that the new definition of a container was refused, so it goes back to the earlier one."""
        name = failure.resource.name
        self._unplanned.add(failure.resource)
        self.observed = replace(self.observed, refused={**self.observed.refused, name: failure})

    def drop_failure(self, resource: ResourceId, *, only: Verb | None = None, all_but: Verb | None = None) -> None:
        """Forget failures of a resource; only, all_but: which kinds."""
        failure = self.observed.failures.get(resource)
        if failure is not None and (only is None or failure.verb is only) and failure.verb is not all_but:
            self._unplanned.add(resource)
            rest = {name: failure for name, failure in self.observed.failures.items() if name != resource}
            self.observed = replace(self.observed, failures=rest)

    def _touch(self, resource: ResourceId) -> None:
        self._count += 1
        self._changed[resource] = self._count

    def _put_container(self, name: str, container: Container | None) -> None:
        """Tells what has changed; what was there before the first full look had ended is no change."""
        before = self.observed.containers.get(name)
        if before == container:
            return
        self.observed = with_container(self.observed, name, container)
        self._touch(ResourceId.container(name))
        self._unplanned.add(ResourceId.container(name))
        if not self._complete:
            return
        for change, subject in _changes(before, container):
            ended = subject.status if change == "exited" and isinstance(subject.status, Exited) else None
            self._emit(
                ContainerEvent(
                    self._now(),
                    subject.name,
                    subject.service,
                    change,
                    ended.exit_code if ended else None,
                    ended.oom_killed if ended else False,
                )
            )


def _pulled_as_before(seen: Image, known: Image | None) -> Image:
    """``seen``, with the later time of pulling: not every driver keeps that."""
    return seen if known is None else replace(seen, pulled_at=max(seen.pulled_at, known.pulled_at))


def _with(items: Mapping[str, V], name: str, item: V | None) -> dict[str, V]:
    """A copy with this item in place of the one of that name, or without that one."""
    rest = {key: value for key, value in items.items() if key != name}
    return rest if item is None else {**rest, name: item}


def _with_newer_health(known: Container | None, seen: Container | None) -> Container | None:
    """``seen``; if it is the same run, with the known health if that was checked later."""
    if known is None or seen is None or not (isinstance(known.status, Running) and isinstance(seen.status, Running)):
        return seen
    ours, theirs = known.status.health, seen.status.health
    if known.status.started_at != seen.status.started_at or (ours.checked_at or 0.0) <= (theirs.checked_at or 0.0):
        return seen
    return replace(seen, status=replace(seen.status, health=ours))


def _chosen(
    kind: Kind, before: Mapping[str, V], seen: Mapping[str, V], settled: Callable[[ResourceId], bool]
) -> dict[str, V]:
    chosen: dict[str, V] = {}
    for name in sorted(before.keys() | seen.keys()):
        source = seen if settled(ResourceId(kind, name)) else before
        if name in source:
            chosen[name] = source[name]
    return chosen


def _changes(before: Container | None, after: Container | None) -> list[tuple[str, Container]]:
    """The events that must have happened between two looks at one container, in order."""
    changes: list[tuple[str, Container]] = []
    if before is not None and (after is None or after.id != before.id):
        changes.append(("removed", before))
        before = None
    if after is None:
        return changes
    if before is None:
        changes.append(("created", after))
    if isinstance(after.status, (Running, Exited)):
        earlier = before.status if before is not None else None
        same_run = isinstance(earlier, (Running, Exited)) and earlier.started_at == after.status.started_at
        if not same_run:
            changes.append(("started", after))
        if isinstance(after.status, Exited) and not (same_run and isinstance(earlier, Exited)):
            changes.append(("exited", after))
    return changes
