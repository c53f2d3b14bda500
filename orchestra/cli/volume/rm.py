"""``orchestra volume rm``: remove volumes with their data."""

from __future__ import annotations

import sys

from orchestra.cli.each import for_each
from orchestra.cli.render.say import say
from orchestra.cli.render.sizes import describe_size
from orchestra.stacks.host_volumes import remove_volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    sizes: list[int] = []

    def remove(name: str) -> None:
        size = remove_volume(context, name, force=values["force"])
        if size is not None:
            sizes.append(size)
            say(name, flush=True)

    code = for_each(invocation, dict.fromkeys(values["names"]), remove, "volume")
    if sizes:
        print(f"Total reclaimed space: {describe_size(sum(sizes), 4)}", file=sys.stderr)
    return code
