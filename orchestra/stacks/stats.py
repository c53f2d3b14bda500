"""``stats``: what a stack's containers use, measured between two readings."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.model.usage import Usage
from orchestra.record import Record
from orchestra.stacks.containers import Seen, find_stack, ignore, look_at_containers, survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.home import StackHome
    from orchestra.linux.cgroup import Cgroup
    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.context import Context

NANOSECOND = 1e-9


class StatsOptions(Record):
    """all: include stopped containers, which use nothing. service: None for all."""

    all: bool = False
    service: str | None = None


class StatsRow(Record):
    """processor: percent of one processor. usage: zero if the container is not running."""

    id: str
    name: str
    processor: float = 0.0
    usage: Usage = Usage()


class Gauge:
    """Measures containers of a stack repeatedly."""

    def __init__(self, home: StackHome) -> None:
        self._home = home
        self._groups: dict[str, Cgroup] = {}
        self._before: dict[tuple[str, float], Usage] = {}

    def read(self, containers: Sequence[ContainerRow]) -> list[StatsRow]:
        """In the same order. Processor time counts since the last call, or since the start of newer containers."""
        usages = {(each.id, each.started_at): self._measure(each) for each in containers if each.pid}
        rows = [self._row(each, usages.get((each.id, each.started_at))) for each in containers]
        self._before = usages
        self._groups = {each.id: group for each in containers if (group := self._groups.get(each.id))}
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
        return StatsRow(container.id, container.name, _share(before, usage) if before else 0.0, usage)


class Meter:
    """Measures the containers of a stack repeatedly, each time those that exist.

    Raises UserError for a service that neither the file nor any container has, and for a driver without processes.
    """

    def __init__(self, context: Context, options: StatsOptions, tell: Callable[[Seen], None] = ignore) -> None:
        context.need(Part.PROCESSES)
        self._context = context
        self._options = options
        known = find_stack(context)
        self._stack = known.stack
        self._gauge = Gauge(context.home.stack(known.stack))
        there = look_at_containers(context, known.stack)
        survey(known, there, [] if options.service is None else [options.service], tell)
        self.read()

    def read(self) -> list[StatsRow]:
        """Sorted by name. Processor time counts since the last call, or since the start of newer containers."""
        service = self._options.service
        there = look_at_containers(self._context, self._stack)
        return self._gauge.read(
            [each for each in there if service in (None, each.service) and (each.pid or self._options.all)]
        )


def _share(before: Usage, now: Usage) -> float:
    """Percent of one processor.

    Docker divides by the time of all processors, including idle time, and multiplies by their number: the result is
    the elapsed time.
    """
    passed = now.at - before.at
    used = (now.processor - before.processor) * NANOSECOND
    return 100 * used / passed if passed > 0 and used > 0 else 0.0
