"""``events``: what happens to a stack in a cluster."""

from __future__ import annotations

import contextlib
import json
import time

from orchestra.stacks.cluster.where import SWARM, Where, open_kubernetes, open_swarm
from orchestra.stacks.containers import find_stack
from orchestra.stacks.events import Over, Span, ending_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from orchestra.cluster.api import Api
    from orchestra.cluster.event import ClusterEvent
    from orchestra.cluster.manager import Manager
    from orchestra.cluster.watch import Seen
    from orchestra.stacks.context import Context


def follow_events(
    context: Context, where: Where, services: Sequence[str], span: Span, hear: Callable[[ClusterEvent], object]
) -> None:
    """Return at the end of the span. services: only events of these; empty for all."""
    stack = find_stack(context).stack
    is_past = span.until is not None and span.until <= time.time()
    with contextlib.suppress(Over), contextlib.nullcontext() if is_past else ending_at(span.until):
        if where.driver == SWARM:
            with open_swarm(context, where) as manager:
                _tell(_of_swarm(manager, stack, span), services, span, hear)
        else:
            from orchestra.translation.kubernetes.names import label

            with open_kubernetes(context, where) as api:
                names = [label(service) for service in services]
                _tell(_of_kubernetes(api, stack, span, is_open=not is_past), names, span, hear)


def _tell(
    events: Iterator[ClusterEvent], services: Collection[str], span: Span, hear: Callable[[ClusterEvent], object]
) -> None:
    for event in events:
        if span.until is not None and event.at > span.until:
            continue
        if not services or event.service in services:
            hear(event)


def _listed(api: Api) -> Iterator[Seen]:
    from orchestra.cluster.watch import LISTED, Seen

    return (Seen(LISTED, item) for item in api.listed(api.events_path(), {})[0])


def _of_kubernetes(api: Api, stack: str, span: Span, *, is_open: bool) -> Iterator[ClusterEvent]:
    from orchestra.cluster.event import of_kubernetes
    from orchestra.cluster.kinds import WORKLOADS
    from orchestra.cluster.watch import DELETED, LISTED, follow

    workloads = {key.name for key in api.of_stack(stack, WORKLOADS)}
    last = 0.0
    for seen in follow(api, api.events_path(), {}) if is_open else _listed(api):
        if seen.kind == DELETED:
            continue  # the cluster forgets events after an hour or so
        if of_kubernetes(seen.item, workloads) is None:
            workloads = {key.name for key in api.of_stack(stack, WORKLOADS)} if _is_made(seen.item) else workloads
        event = of_kubernetes(seen.item, workloads)
        if event is None:
            continue
        # What there was is asked for with --since; after a gap, what came in it is new.
        wanted = last or span.since
        if seen.kind != LISTED or (wanted is not None and event.at >= wanted):
            yield event
            last = max(last, event.at)


def _is_made(item: dict[str, object]) -> bool:
    """Whether an event tells that a workload has got its first pods: it may be a new one of the stack."""
    return item.get("reason") in ("ScalingReplicaSet", "SuccessfulCreate")


def _of_swarm(manager: Manager, stack: str, span: Span) -> Iterator[ClusterEvent]:
    from orchestra.cluster.event import of_swarm
    from orchestra.cluster.lines import lines

    moments = {"since": span.since, "until": span.until}
    asked = {name: f"{moment:f}" for name, moment in moments.items() if moment is not None}
    with manager.stream("/events", **asked) as chunks:
        for line in lines(chunks):
            event = of_swarm(json.loads(line), stack)
            if event is not None:
                yield event
