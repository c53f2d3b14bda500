"""``events``: the events of a stack, current and past."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager, suppress

from orchestra.control.arrival import Arrival
from orchestra.control.history import read_events
from orchestra.model.event import PullEvent, SnapshotEvent
from orchestra.model.request import EventsRequest
from orchestra.model.result import EventsResult
from orchestra.record import Record, replace
from orchestra.stacks.containers import check_known, find_stack, look_at_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestra.model.event import Change, Event
    from orchestra.stacks.context import Context


class Span(Record):
    """A span of time in Unix seconds. since: None for from now on; until: None for no end."""

    since: float | None = None
    until: float | None = None

    def covers(self, event: Change) -> bool:
        return (self.since is None or event.at >= self.since) and (self.until is None or event.at <= self.until)


class Over(Exception):
    """The end of the span has been reached."""


def follow_events(context: Context, services: Sequence[str], span: Span, hear: Callable[[Event], None]) -> None:
    """Return at the end of the span, or when the supervisor exits; wait for a stack that is not up.

    hear: first called with the current state. services: only events of these; empty for all events.

    Raises UserError for a service that the file does not declare.
    """
    known = find_stack(context)
    if known.services is not None:
        check_known(services, known.services, ())
    stack_home = context.home.stack(known.stack)
    told: list[Change] = []

    def choose(event: Event) -> None:
        if isinstance(event, SnapshotEvent):
            hear(_narrowed(event, services) if services else event)
            replay()  # now all events that this stream lacks are on disk
        elif event not in told and span.covers(event):
            tell(event)

    def tell(event: Change) -> None:
        if not isinstance(event, PullEvent) and (not services or getattr(event, "service", None) in services):
            hear(event)

    def replay() -> None:
        if span.since is None or told:
            return
        for event in read_events(stack_home):
            if span.covers(event):
                told.append(event)
                tell(event)

    with suppress(Over), ending_at(span.until):
        client = context.client(known.stack)
        while True:
            with Arrival(stack_home.run) as arrival:
                if client.ask_if_running(EventsResult, EventsRequest(), choose) is not None:
                    return
                replay()
                arrival.wait()
    replay()  # past events have not been shown yet if the end came before the first event


def container_ids(context: Context) -> dict[str, str]:
    """The ids of the existing containers, by name."""
    return {row.name: row.id for row in look_at_containers(context, find_stack(context).stack)}


@contextmanager
def ending_at(until: float | None) -> Iterator[None]:
    """Raise Over at that time, interrupting any wait, or at once if it has passed."""
    if until is None:
        yield
        return
    left = until - time.time()
    if left <= 0:
        raise Over

    def end(_number: int, _frame: object) -> None:
        raise Over

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, left)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _narrowed(snapshot: SnapshotEvent, services: Sequence[str]) -> SnapshotEvent:
    containers = tuple(container for container in snapshot.containers if container.service in services)
    under_way = tuple(action for action in snapshot.under_way if action.service in services)
    return replace(snapshot, containers=containers, under_way=under_way, blocked=())
