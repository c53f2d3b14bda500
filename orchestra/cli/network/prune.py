"""``orchestra network prune``: remove all networks that nothing uses."""

from __future__ import annotations

from orchestra.cli.confirm import is_sure, need_terminal
from orchestra.cli.each import for_each
from orchestra.cli.render.say import say
from orchestra.stacks.host_networks import find_unused, remove_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    if not values["force"]:
        need_terminal()
    unused = [network.name for network in find_unused(context, values["filters"])]
    if not unused:
        print("Nothing to remove.")
        return 0
    warning = ["WARNING! This will remove all networks not used by any container:", *(f"  - {name}" for name in unused)]
    if not values["force"] and not is_sure("\n".join(warning)):
        return 0

    def remove(name: str) -> None:
        if remove_network(context, name, force=True) is not None:
            say(f"Removed network {name}", flush=True)

    return for_each(invocation, unused, remove, "network")
