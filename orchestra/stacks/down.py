"""``down``: stop and remove the stack, or a part of it, in reverse order; volumes stay unless asked."""

from __future__ import annotations

from orchestra.model.request import DownRequest
from orchestra.model.result import DownResult
from orchestra.record import Record
from orchestra.stacks.containers import exists, find_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.model.event import Event
    from orchestra.stacks.containers import Known
    from orchestra.stacks.context import Context


class DownOptions(Record):
    """services: only these, and what depends on them; empty for all. timeout: seconds before containers are killed."""

    services: tuple[str, ...] = ()
    volumes: bool = False
    remove_orphans: bool = False
    timeout: float | None = None


def find_stack_for_down(context: Context, options: DownOptions) -> tuple[Known, bool]:
    """The stack, and whether there may be anything of it. Raises what a load raises, and EnvironmentLack."""
    context.need_root("down")
    known = find_stack(context)
    return known, exists(context, known.stack) or options.volumes


def down(
    context: Context, known: Known, options: DownOptions, hear: Callable[[Event], None] | None = None
) -> DownResult:
    """Returns when all of it is gone, or cannot go."""
    request = DownRequest(known.services, options.services, options.volumes, options.remove_orphans, options.timeout)
    result = context.client(known.stack).ask(DownResult, request, hear)
    if result.leaving and not result.failures:
        from orchestra.control.farewell import clear_away

        clear_away(context.home.stack(known.stack))
    return result
