"""``orchestra image prune``: remove images that nothing needs."""

from __future__ import annotations

from orchestra.cli.confirm import is_sure, need_terminal
from orchestra.cli.image.waiting import say_waiting
from orchestra.cli.render.say import say
from orchestra.cli.render.sizes import describe_size
from orchestra.errors import UserError
from orchestra.stacks.images.library import open_library
from orchestra.units import parse_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation

ALL = "all images not used by any container"
NAMELESS = "all unnamed images not used by any container"


def run(invocation: Invocation) -> int:
    values = invocation.values
    keep = _read_size(values["keep"]) if values["keep"] else 0
    if keep and not values["build_cache"]:
        raise UserError("--keep-storage says how much --build-cache leaves", hint="give --build-cache as well")
    if not values["force"]:
        need_terminal()
        what = ALL if values["all"] else NAMELESS
        if values["build_cache"]:
            what += f", what builds remember beyond {describe_size(keep, 4)}" if keep else ", what builds remember"
        if not is_sure(f"WARNING! This will remove {what}, and the remains of interrupted downloads."):
            return 0
    pruned = open_library(invocation.context, say_waiting).prune(
        everything=values["all"], build_cache=values["build_cache"], keep=keep
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


def _read_size(text: str) -> int:
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise UserError(f"--keep-storage: {error}") from None
