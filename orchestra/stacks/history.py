"""``history``: what a stack was asked to be, one revision after another."""

from __future__ import annotations

from orchestra.control.revisions import load_definition, load_revisions
from orchestra.errors import UserError
from orchestra.plan.revision import Difference, compare
from orchestra.record import Record
from orchestra.stacks.containers import find_stack
from orchestra.stacks.permission import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.model.revision import Revision
    from orchestra.stacks.context import Context


class RevisionDetails(Record):
    """differences: from the revision before; empty if that is not kept any more."""

    revision: Revision
    differences: list[Difference]


def history(context: Context) -> tuple[Revision, ...]:
    """The revisions of the stack, the oldest first.

    Raises the errors of a load, EnvironmentLack if this user may not see them, and FatalError for damaged files.
    """
    return revisions_of(context, find_stack(context).stack)


def revisions_of(context: Context, stack: str) -> tuple[Revision, ...]:
    home = context.home.stack(stack)
    with reading():
        return load_revisions(home)


def describe_revision(context: Context, number: int) -> RevisionDetails:
    """What a revision changed. Raises UserError if there is no such revision, and what ``history`` raises."""
    stack = find_stack(context).stack
    revisions = revisions_of(context, stack)
    revision = find_revision(revisions, number, stack)
    home = context.home.stack(stack)
    place = revisions.index(revision)
    earlier = revisions[place - 1] if place else None
    old = load_definition(home, earlier.number) if earlier else None
    new = load_definition(home, number)
    known = earlier is not None or number == 1
    return RevisionDetails(revision, compare(old, new) if known else [])


def find_revision(revisions: Sequence[Revision], number: int, stack: str) -> Revision:
    """Raises UserError if it is not there."""
    for revision in revisions:
        if revision.number == number:
            return revision
    if not revisions:
        raise UserError(
            f"stack {stack} has no revisions", hint="they begin with orchestra up, and go with orchestra down"
        )
    kept = f"{revisions[0].number} to {revisions[-1].number}"
    raise UserError(f"stack {stack} has no revision {number}", hint=f"it has {kept}; see orchestra history")
