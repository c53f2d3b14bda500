"""``orchestra image inspect``: print everything about images, in Docker's words."""

from __future__ import annotations

from orchestra.cli.each import for_each
from orchestra.cli.inspection import print_found
from orchestra.cli.render.template import JSON
from orchestra.stacks.images.library import open_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation


NO_CONFIG: dict[str, Any] = {
    **dict.fromkeys(("User", "WorkingDir", "StopSignal"), ""),
    **{name: [] for name in ("Env", "Cmd", "Entrypoint", "Shell", "OnBuild")},
    **{name: {} for name in ("Labels", "Volumes", "ExposedPorts")},
}
"""Fields that a template may name even if an image has none of them."""


def run(invocation: Invocation) -> int:
    values = invocation.values
    library = open_library(invocation.context)
    found: list[dict[str, Any]] = []

    def look(reference: str) -> None:
        item = library.find(reference)
        if values["attestations"]:
            found.extend(library.attestations(item))
        else:
            found.append(library.details(item))

    code = for_each(invocation, values["references"], look)
    if values["format"] != JSON and not values["attestations"]:
        found = [{**details, "Config": {**NO_CONFIG, **details["Config"]}} for details in found]
    print_found(values["format"], found)
    return code
