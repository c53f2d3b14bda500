"""``orchestra config``: the file, checked, in canonical form."""

from __future__ import annotations

import sys

from orchestra.cli.stack_file import StackFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.compose import Loaded

LISTS = ("services", "volumes", "networks", "images")


def run(invocation: Invocation) -> int:
    values = invocation.values
    what = next((name for name in LISTS if values[name]), values["format"])
    text = StackFile(invocation).render(f"config {what}", values["selected"], lambda loaded: _render(loaded, what))
    if values["quiet"]:
        return 0
    if values["output"]:
        with open(values["output"], "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)
    return 0


def _render(loaded: Loaded, what: str) -> str:
    from orchestra.compose import render_config

    desired = loaded.desired
    match what:
        case "services":
            names = sorted(loaded.stack.services)
        case "volumes":
            names = sorted(spec.key for spec in desired.volumes)
        case "networks":
            names = sorted(spec.key for spec in desired.networks)
        case "images":
            names = sorted({spec.image for spec in desired.containers})
        case "json":
            return render_config(loaded.stack, "json")
        case _:
            return render_config(loaded.stack, "yaml")
    return "".join(f"{name}\n" for name in names)
