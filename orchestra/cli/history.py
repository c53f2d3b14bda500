"""``orchestra history``: what the stack was asked to be, when, and by which user."""

from __future__ import annotations

import sys
import time

from orchestra.cli.render.ages import describe_moment, describe_span
from orchestra.cli.render.columns import output_width
from orchestra.cli.render.template import check_format, render_rows
from orchestra.errors import UserError
from orchestra.stacks.history import describe_revision, history
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.model.revision import Revision
    from orchestra.stacks.history import RevisionDetails

HEADER = {"Revision": "REVISION", "Created": "CREATED", "By": "BY", "Command": "COMMAND", "Changes": "CHANGES"}


def run(invocation: Invocation) -> int:
    values, context = invocation.values, invocation.context
    check_format(values["format"])
    number = parse_revision(values["revision"])
    if number is not None:
        sys.stdout.write(visible(render_details(describe_revision(context, number)), lines=True))
        return 0
    sys.stdout.write(render(history(context), values["format"], time.time(), output_width()))
    return 0


def parse_revision(text: str | None) -> int | None:
    """The number of a revision, if one is given. Raises UserError."""
    if text is None:
        return None
    if not text.isdecimal():
        raise UserError(f"revision {text}: expected a number", hint="orchestra history lists them")
    return int(text)


def render(revisions: Sequence[Revision], format: str, now: float, width: int | None = None) -> str:
    """The newest first. now: Unix seconds."""
    rows = [
        {
            "Revision": revision.number,
            "Created": f"{describe_span(now - revision.at)} ago",
            "CreatedAt": describe_moment(revision.at),
            "By": revision.author.user,
            "Command": revision.author.command,
            "Changes": ", ".join(revision.changed),
            "Images": dict(revision.images),
        }
        for revision in reversed(revisions)
    ]
    return render_rows(format, HEADER, rows, width=width, expendable=["Changes", "Command"], array=True)


def render_details(details: RevisionDetails) -> str:
    """A line of who and when, then what has changed, as in ``plan``."""
    revision = details.revision
    lines = [
        f"revision {revision.number}  {describe_moment(revision.at)}  {revision.author.user}  {revision.author.command}"
    ]
    for each in details.differences:
        lines.append(f"{each.verb:8} {each.resource}")
        lines += [f"    {change}" for change in each.changes]
    if not details.differences:
        lines += revision.changed
    lines += [f"image    {key}  {digest}" for key, digest in revision.images.items()]
    return "".join(f"{line}\n" for line in lines)
