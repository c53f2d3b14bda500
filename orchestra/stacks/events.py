"""``events``: what happens to a stack, as it happens."""

from __future__ import annotations

from orchestra.errors import UserError
from orchestra.model.event import PullEvent, SnapshotEvent
from orchestra.model.request import EventsRequest
from orchestra.model.result import EventsResult
from orchestra.record import replace
from orchestra.stacks.containers import check_known, find_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.model.event import Event
    from orchestra.stacks.context import Context


def follow_events(context: Context, services: Sequence[str], hear: Callable[[Event], None]) -> None:
    """Returns when the supervisor leaves. hear: is told how things stand first.

    services: whose events are told; empty for all events.

    Raises UserError when the stack is not up, or for a service that the file does not declare.
    """
    known = find_stack(context)
    if known.services is not None:
        check_known(services, known.services, ())

    def choose(event: Event) -> None:
        if isinstance(event, SnapshotEvent):
            hear(_narrowed(event, services) if services else event)
        elif not isinstance(event, PullEvent) and (not services or getattr(event, "service", None) in services):
            hear(event)

    if context.client(known.stack).ask_if_running(EventsResult, EventsRequest(), choose) is None:
        raise UserError(f"stack {known.stack} is not up", hint="run orchestra up -d to start it")


def _narrowed(snapshot: SnapshotEvent, services: Sequence[str]) -> SnapshotEvent:
    containers = tuple(container for container in snapshot.containers if container.service in services)
    under_way = tuple(action for action in snapshot.under_way if action.service in services)
    return replace(snapshot, containers=containers, under_way=under_way, blocked=())
