"""``rollback``: bring a stack back to what it was asked to be before."""

from __future__ import annotations

from orchestra.control.revisions import load_definition
from orchestra.driver import Part
from orchestra.errors import UserError
from orchestra.model.request import Changes
from orchestra.plan.revision import with_images
from orchestra.record import Record
from orchestra.stacks.containers import find_stack
from orchestra.stacks.history import find_revision, revisions_of
from orchestra.stacks.stack_file import prepared_from
from orchestra.stacks.up import Beginning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.model.desired import Desired
    from orchestra.model.revision import Revision
    from orchestra.stacks.context import Context

CHANGES = Changes(remove_orphans=True)
"""What later revisions have added is removed."""


class Rollback(Record):
    """beginning: of an ``up`` to that revision."""

    revision: Revision
    beginning: Beginning


def begin_rollback(context: Context, number: int | None = None) -> Rollback:
    """number: None for the revision before the current one. Images are those of that time.

    Raises UserError if there is no such revision, EnvironmentLack without permission, and FatalError for damaged files.
    """
    context.need_privileges()
    stack = find_stack(context).stack
    revisions = revisions_of(context, stack)
    if number is None and len(revisions) < 2:
        said = f"stack {stack} has no earlier revision" if revisions else f"stack {stack} has no revisions"
        raise UserError(said, hint="orchestra history lists them; each up that changes something adds one")
    revision = find_revision(revisions, revisions[-2].number if number is None else number, stack)
    desired = load_definition(context.home.stack(stack), revision.number)
    if context.offers(Part.IMAGES):
        desired = with_images(desired, _references(context, desired, revision.images))
    return Rollback(revision, Beginning(prepared_from(desired), context.client(stack), context))


def _references(context: Context, desired: Desired, digests: Mapping[str, str]) -> dict[str, str]:
    """For each image whose name means another one now: a reference to the one of that time."""
    from orchestra.stacks.images.library import open_library

    library = open_library(context)
    now = library.store.observe(desired.images)
    return {
        image.reference: library.pin(image, digests[image.key])
        for image in desired.images
        if image.key in digests and (image.key not in now or now[image.key].digest != digests[image.key])
    }
