"""``orchestra image push``: send images to the registries in their names."""

from __future__ import annotations

from functools import partial

from orchestra.cli.each import for_each
from orchestra.cli.render.say import say
from orchestra.stacks.images.library import open_library, parse_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.images.library import Library


def run(invocation: Invocation) -> int:
    values = invocation.values
    return for_each(invocation, values["references"], partial(_push, open_library(invocation.context), values["quiet"]))


def _push(library: Library, quiet: bool, text: str) -> None:
    if quiet:
        library.push(text)
        say(parse_name(text), flush=True)
        return
    pushed = library.push(text, lambda line: say(line, flush=True))
    size = library.find(text).entry.size
    name = parse_name(text)
    say(f"{pushed.sent} blobs sent, {pushed.mounted} mounted, {pushed.there} there already")
    say(f"{name.tag or name.digest}: digest: {pushed.digest} size: {size}", flush=True)
