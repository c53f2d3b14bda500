"""``ps --at``: the containers that there were at a moment, from the events and revisions on disk."""

from __future__ import annotations

from orchestra.control.history import read_everything
from orchestra.control.revisions import load_definition, load_revisions
from orchestra.errors import FatalError, UserError
from orchestra.plan.past import PastContainer, containers_at
from orchestra.record import Record
from orchestra.stacks.containers import check_known, find_stack
from orchestra.stacks.permission import reading
from orchestra.stacks.ps import chosen_states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.home import StackHome
    from orchestra.model.revision import Revision
    from orchestra.stacks.context import Context
    from orchestra.stacks.ps import PsOptions

__all__ = ["Past", "PastContainer", "ps_at"]


class Past(Record):
    """images: by container, of those that are known. revision: that was in effect; None if it is not kept.

    known_since: Unix time of the first event that is kept.
    """

    containers: list[PastContainer]
    images: Mapping[str, str]
    revision: Revision | None
    known_since: float


def ps_at(context: Context, options: PsOptions, moment: float) -> Past:
    """moment: Unix seconds.

    Raises the errors of a load and of ``ps``, UserError for a moment before the first event that is kept, and
    EnvironmentLack if this user may not read the events.
    """
    states = chosen_states(options)
    known = find_stack(context)
    home = context.home.stack(known.stack)
    with reading():
        events = list(read_everything(home))
        revision, images = _definition(home, moment)
    if not events:
        raise UserError(
            f"no events of stack {known.stack} are kept",
            hint="they begin with orchestra up, and go with orchestra down",
        )
    known_since = min(event.at for event in events)
    found = containers_at(events, moment) if moment >= known_since else []
    check_known(options.services, known.services, (each.service for each in found))
    chosen = [
        each for each in found if each.state in states and (not options.services or each.service in options.services)
    ]
    return Past(chosen, images, revision, known_since)


def _definition(home: StackHome, moment: float) -> tuple[Revision | None, Mapping[str, str]]:
    """The revision in effect, and the images of its containers."""
    try:
        earlier = [each for each in load_revisions(home) if each.at <= moment]
        if not earlier:
            return None, {}
        desired = load_definition(home, earlier[-1].number)
    except FatalError:
        return None, {}
    return earlier[-1], {spec.name: spec.image for spec in desired.of_services}
