"""``rm``: remove stopped containers; the next ``up`` makes them again."""

from __future__ import annotations

from orchestra.model.request import RemoveRequest
from orchestra.model.result import RemoveResult
from orchestra.record import Record
from orchestra.stacks.containers import look_at_containers
from orchestra.stacks.life_cycle import find_stack_to_change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.model.event import Event
    from orchestra.stacks.context import Context


class RemoveOptions(Record):
    """services: empty for all. volumes: also remove the anonymous volumes of the containers."""

    services: tuple[str, ...] = ()
    volumes: bool = False


STOPPED = ("created", "exited")


class Removable(Record):
    """containers: names of the stopped ones whose service the file declares."""

    stack: str
    containers: tuple[str, ...]


def find_removable(context: Context, options: RemoveOptions) -> Removable:
    """Raises the errors of a load, UserError for an undeclared service, and EnvironmentLack without permission."""
    known, is_there = find_stack_to_change(context, "rm", options.services)
    rows = look_at_containers(context, known.stack) if is_there else []
    chosen = [row for row in rows if row.service in (options.services or known.services or (row.service,))]
    return Removable(known.stack, tuple(row.name for row in chosen if not row.one_off and row.state in STOPPED))


def remove(
    context: Context, removable: Removable, options: RemoveOptions, hear: Callable[[Event], None] | None = None
) -> RemoveResult:
    """Return when they are gone, or cannot be removed. Raises UserError if one was started in the meantime."""
    request = RemoveRequest(removable.containers, options.volumes)
    return context.client(removable.stack).ask(RemoveResult, request, hear)
