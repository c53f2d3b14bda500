"""``ps``: the containers of a stack."""

from __future__ import annotations

from orchestra.record import Record
from orchestra.stacks.containers import ContainerRow, check_known, damage_of, find_stack, look_at_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context


class PsOptions(Record):
    """all: also those that do not run. services: empty for all."""

    all: bool = False
    services: tuple[str, ...] = ()


class PsResult(Record):
    """exist: whether the stack has containers at all. damage: files that cannot be read, in words."""

    stack: str
    containers: list[ContainerRow]
    exist: bool
    damage: list[str]


def ps(context: Context, options: PsOptions) -> PsResult:
    """Raises UserError for a service that neither the file nor any container knows, and what a load raises."""
    known = find_stack(context)
    there = look_at_containers(context, known.stack, tell_restarts=True)
    check_known(options.services, known.services, (container.service for container in there))
    shown = [
        container
        for container in there
        if (options.all or container.state in ("running", "restarting"))
        and (not options.services or container.service in options.services)
    ]
    return PsResult(known.stack, shown, bool(there), damage_of(there))
