"""``orchestra volume inspect``: print everything about volumes, in Docker's words."""

from __future__ import annotations

import time

from orchestra.cli.each import for_each
from orchestra.cli.inspection import print_found
from orchestra.stacks.host_volumes import find_volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    found: list[dict[str, Any]] = []

    def look(name: str) -> None:
        volume = find_volume(context, name)
        found.append(
            {
                "CreatedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(volume.created_at)),
                "Driver": "local",
                "Labels": dict(volume.labels),
                "Mountpoint": volume.mountpoint,
                "Name": volume.name,
                "Options": dict(volume.options),
                "Scope": "local",
                "Stack": volume.stack,
            }
        )

    code = for_each(invocation, values["names"], look, "volume")
    print_found(values["format"], found)
    return code
