"""``orchestra image prune``: remove images that nothing needs."""

from __future__ import annotations

from orchestra.cli.confirm import is_sure, need_terminal
from orchestra.cli.image.waiting import say_waiting
from orchestra.cli.render.say import say
from orchestra.cli.render.sizes import describe_size
from orchestra.stacks.images.library import open_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation

ALL = "all images not used by any container"
NAMELESS = "all unnamed images not used by any container"


def run(invocation: Invocation) -> int:
    values = invocation.values
    if not values["force"]:
        need_terminal()
        what = ALL if values["all"] else NAMELESS
        what += ", what builds remember" if values["build_cache"] else ""
        if not is_sure(f"WARNING! This will remove {what}, and the remains of interrupted downloads."):
            return 0
    pruned = open_library(invocation.context, say_waiting).prune(
        everything=values["all"], build_cache=values["build_cache"]
    )
    if pruned.names or pruned.ids:
        say("Deleted Images:")
    for name in pruned.names:
        say(f"untagged: {name}")
    for image_id in pruned.ids:
        say(f"deleted: {image_id}")
    if pruned.names or pruned.ids:
        print()
    say(f"Total reclaimed space: {describe_size(pruned.collected.size, 4)}")
    return 0
