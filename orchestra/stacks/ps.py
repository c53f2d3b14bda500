"""``ps``: the containers of a stack."""

from __future__ import annotations

from orchestra.errors import UserError
from orchestra.record import Record
from orchestra.stacks.boot.unit import is_enabled
from orchestra.stacks.containers import ContainerRow, Seen, find_stack, ignore, look_at_containers, survey
from orchestra.stacks.following.find import refused_edit
from orchestra.stacks.paused_updates import paused_updates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.model.edit import Edit
    from orchestra.stacks.context import Context

STATES = ("created", "dead", "exited", "paused", "removing", "restarting", "running")
"""Docker's words for the states of a container."""


class PsOptions(Record):
    """all: include stopped ones, and those of one-off commands. services: empty for all. orphans: include services
    that the file does not declare.

    statuses: only containers in these states; empty for any. filter: ``status=STATE``, for another state.
    """

    all: bool = False
    services: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    filter: str | None = None
    orphans: bool = True


class PsResult(Record):
    """refused: the last edit of files that are followed, if it was not applied. paused: why updates of services are, by
    service. enabled: the stack comes back at boot.
    """

    stack: str
    containers: list[ContainerRow]
    refused: Edit | None = None
    paused: Mapping[str, str] = {}
    enabled: bool = False


def ps(context: Context, options: PsOptions, tell: Callable[[Seen], None] = ignore) -> PsResult:
    """Raises UserError for a service that neither the file nor any container has, for an unknown state or filter,
    and the errors of a load.
    """
    states = chosen_states(options)
    known = find_stack(context)
    there = look_at_containers(context, known.stack, tell_restarts=True)
    survey(known, there, options.services, tell)

    def is_wanted(row: ContainerRow) -> bool:
        if row.one_off and not options.all:
            return False
        if options.services:
            return row.service in options.services
        return options.orphans or known.services is None or row.service in known.services

    rows = [each for each in there if each.state in states and is_wanted(each)]
    refused, paused = refused_edit(context, known.stack), paused_updates(context.home.stack(known.stack))
    return PsResult(known.stack, rows, refused, paused, is_enabled(known.stack, context.units))


def chosen_states(options: PsOptions) -> tuple[str, ...]:
    """Raises UserError for an unknown state or filter."""
    asked = list(options.statuses)
    if options.filter:
        key, equals, value = options.filter.partition("=")
        if key != "status":
            raise UserError(f"--filter {options.filter}: there is no filter {key}", hint="status=running is one")
        if not equals:
            raise UserError(f"--filter {options.filter}: a value is missing", hint="status=running is a filter")
        asked.append(value)
    for state in asked:
        if state not in STATES:
            from orchestra.nearest import suggest

            raise UserError(f"no such status: {state}", hint=suggest(state, STATES, "statuses"))
    return tuple(asked) or (STATES if options.all else ("running", "paused", "restarting"))
