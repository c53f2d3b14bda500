"""``stats``: what a stack's containers use, measured between two looks."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.record import Record
from orchestra.stacks.containers import Seen, check_known, damage_of, find_stack, ignore, look_at_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.driver.local.usage import Usage
    from orchestra.linux.cgroup import Cgroup
    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.context import Context

NANOSECOND = 1e-9


class StatsOptions(Record):
    """all: also those that do not run, which use nothing. service: None for all."""

    all: bool = False
    service: str | None = None


class StatsRow(Record):
    """processor: percent of one processor. Sizes are bytes; see ``orchestra.driver.local.usage.Usage``."""

    id: str
    name: str
    processor: float = 0.0
    memory: int = 0
    memory_limit: int = 0
    received: int = 0
    sent: int = 0
    read: int = 0
    written: int = 0
    processes: int = 0


class Meter:
    """Measures the containers of a stack again and again: those that there are at that time.

    Raises UserError for a service that neither the file nor any container knows, and for a driver without processes.
    """

    def __init__(self, context: Context, options: StatsOptions, tell: Callable[[Seen], None] = ignore) -> None:
        context.need(Part.PROCESSES)
        self._context = context
        self._options = options
        known = find_stack(context)
        self._home = context.home.stack(known.stack)
        self._groups: dict[str, Cgroup] = {}
        self._before: dict[tuple[str, float], Usage] = {}
        there = look_at_containers(context, known.stack)
        tell(Seen(bool(there), damage_of(there)))
        if options.service is not None:
            check_known([options.service], known.services, (each.service for each in there))
        self.read()

    def read(self) -> list[StatsRow]:
        """By name. Processor time is that since the last call, or since the start of what was not there then."""
        service = self._options.service
        there = [
            container
            for container in look_at_containers(self._context, self._home.name)
            if service in (None, container.service) and (container.pid or self._options.all)
        ]
        usages = {(each.id, each.started_at): self._measure(each) for each in there if each.pid}
        rows = [self._row(each, usages.get((each.id, each.started_at))) for each in there]
        self._before = usages
        self._groups = {each.id: group for each in there if (group := self._groups.get(each.id))}
        return rows

    def _measure(self, container: ContainerRow) -> Usage:
        from orchestra.driver.local.usage import find_group, measure

        group = self._groups.get(container.id) or find_group(self._home, container.name)
        self._groups[container.id] = group
        return measure(group, container.pid)

    def _row(self, container: ContainerRow, usage: Usage | None) -> StatsRow:
        if usage is None:
            return StatsRow(container.id, container.name)
        before = self._before.get((container.id, container.started_at))
        return StatsRow(
            container.id,
            container.name,
            processor=_share(before, usage) if before else 0.0,
            memory=usage.memory,
            memory_limit=usage.memory_limit,
            received=usage.received,
            sent=usage.sent,
            read=usage.read,
            written=usage.written,
            processes=usage.processes,
        )


def _share(before: Usage, now: Usage) -> float:
    """Percent of one processor.

    Docker divides by what all processors have done meanwhile, idling included, and multiplies by their number: that is
    the time that has passed.
    """
    passed = now.at - before.at
    used = (now.processor - before.processor) * NANOSECOND
    return 100 * used / passed if passed > 0 and used > 0 else 0.0
