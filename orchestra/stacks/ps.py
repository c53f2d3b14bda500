"""``ps``: the containers of a stack."""

from __future__ import annotations

from orchestra.record import Record
from orchestra.stacks.containers import ContainerRow, Seen, find_stack, ignore, look_at_containers, survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.stacks.context import Context


class PsOptions(Record):
    """all: also those that do not run. services: empty for all."""

    all: bool = False
    services: tuple[str, ...] = ()


class PsResult(Record):
    stack: str
    containers: list[ContainerRow]


def ps(context: Context, options: PsOptions, tell: Callable[[Seen], None] = ignore) -> PsResult:
    """Raises UserError for a service that neither the file nor any container knows, and what a load raises."""
    known = find_stack(context)
    there = look_at_containers(context, known.stack, tell_restarts=True)
    survey(known, there, options.services, tell)
    shown = [
        container
        for container in there
        if (options.all or container.state in ("running", "restarting"))
        and (not options.services or container.service in options.services)
    ]
    return PsResult(known.stack, shown)
