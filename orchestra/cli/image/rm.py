"""``orchestra image rm``: remove names, and images with their last name."""

from __future__ import annotations

from functools import partial

from orchestra.cli.each import for_each
from orchestra.cli.image.waiting import say_waiting
from orchestra.cli.render.say import say
from orchestra.stacks.images.library import Library, open_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    library = open_library(invocation.context, say_waiting)
    return for_each(invocation, values["references"], partial(_remove, library, values["force"]))


def _remove(library: Library, force: bool, text: str) -> None:
    removed = library.remove(text, force=force)
    for name in removed.names:
        say(f"Untagged: {name}")
    if removed.id:
        say(f"Deleted: {removed.id}")
