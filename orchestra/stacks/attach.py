"""``attach``: the standard streams of a container that runs. Standard library only."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.errors import UserError
from orchestra.shim.attachment import Attachment, attach
from orchestra.stacks.containers import Seen, find_stack, ignore, observe_containers, survey
from orchestra.stacks.exec import choose_container

__all__ = ["Attachment", "attach_to"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.stacks.context import Context


def attach_to(context: Context, service: str, index: int | None, tell: Callable[[Seen], None] = ignore) -> Attachment:
    """Of a scaled service to the container with this index, or to that with the lowest. Close it in the end.

    Raises UserError for a service that is not there or does not run.
    """
    context.need_privileges()
    context.need(Part.EXEC)
    known = find_stack(context)
    containers = observe_containers(context, known.stack)
    survey(known, containers, [service], tell)
    container = choose_container(containers, service, index or None)
    try:
        return attach(context.home.stack(known.stack).container(container.name))
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
        message = f"container {container.name} cannot be attached to: it has just stopped"
        raise UserError(message, hint="run orchestra ps -a to see how it ended") from None
