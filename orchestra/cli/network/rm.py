"""``orchestra network rm``: remove networks that nothing uses."""

from __future__ import annotations

from orchestra.cli.each import for_each
from orchestra.cli.render.say import say
from orchestra.stacks.host_networks import remove_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values

    def remove(word: str) -> None:
        name = remove_network(context, word, force=values["force"])
        if name is not None:
            say(name, flush=True)

    return for_each(invocation, dict.fromkeys(values["names"]), remove, "network")
