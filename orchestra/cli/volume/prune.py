"""``orchestra volume prune``: remove volumes that nothing uses."""

from __future__ import annotations

from orchestra.cli.confirm import is_sure, need_terminal
from orchestra.cli.each import for_each
from orchestra.cli.render.say import say
from orchestra.cli.render.sizes import describe_size
from orchestra.stacks.host_volumes import find_unused, remove_volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.host_volumes import HostVolume

ALL = "all volumes not used by any container"
ANONYMOUS = "all anonymous volumes not used by any container"


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    if not values["force"]:
        need_terminal()
    unused = find_unused(context, values["filters"], everything=values["all"])
    if not unused:
        print("Nothing to remove.")
        return 0
    what = ALL if values["all"] else ANONYMOUS
    if not values["force"] and not is_sure(_warning(what, unused)):
        return 0
    sizes: list[int] = []

    def remove(name: str) -> None:
        size = remove_volume(context, name, force=True)
        if size is not None:
            sizes.append(size)
            say(f"Removed volume {name}: {describe_size(size, 4)}", flush=True)

    code = for_each(invocation, [volume.name for volume in unused], remove, "volume")
    say(f"Total reclaimed space: {describe_size(sum(sizes), 4)}")
    return code


def _warning(what: str, unused: Sequence[HostVolume]) -> str:
    lines = [f"  - {volume.name} ({describe_size(volume.size, 4)})" for volume in unused]
    return "\n".join([f"WARNING! This will remove {what}, with their data:", *lines])
