"""``top``: the processes of a stack's running containers."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.record import Record
from orchestra.stacks.containers import Seen, find_stack, ignore, look_at_containers, survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.linux.process_table import ProcessRow
    from orchestra.stacks.context import Context


class ContainerProcesses(Record):
    """index: the number of the replica; 1 for a one-off command, as in Docker Compose."""

    service: str
    index: int
    processes: list[ProcessRow]


def top(
    context: Context, services: Sequence[str] = (), tell: Callable[[Seen], None] = ignore
) -> list[ContainerProcesses]:
    """Sorted by the containers' names. services: empty for all.

    Raises UserError for a service that neither the file nor any container has, and for a driver without processes.
    """
    context.need(Part.PROCESSES)
    from orchestra.driver.local.usage import processes_of
    from orchestra.linux.process_table import load_processes

    known = find_stack(context)
    home = context.home.stack(known.stack)
    there = look_at_containers(context, known.stack)
    survey(known, there, services, tell)
    return [
        ContainerProcesses(each.service, each.index or 1, load_processes(processes_of(home, each.name, each.pid)))
        for each in there
        if each.pid and (not services or each.service in services)
    ]
