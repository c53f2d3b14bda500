"""``orchestra volume create``: create a volume that belongs to no stack."""

from __future__ import annotations

from orchestra.stacks.host_volumes import NewVolume, create_volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    print(create_volume(invocation.context, invocation.options(NewVolume)))
    return 0
