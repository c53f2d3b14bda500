"""Asks before a stack from elsewhere runs for the first time, and shows its sources and what it will access."""

from __future__ import annotations

import sys

from orchestra.cli.confirm import is_sure
from orchestra.cli.render.columns import output_width, render_columns
from orchestra.errors import UserError
from orchestra.stacks.sources.reach import accept, is_accepted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.sources.reach import Reach
    from orchestra.stacks.up import Beginning


def check_accepted(beginning: Beginning, reach: Reach, *, yes: bool) -> None:
    """Raises UserError unless these files are accepted, now or earlier. yes: accept them without asking."""
    directory = beginning.context.home.sources
    if is_accepted(directory, reach):
        return
    if not yes:
        try:
            _ask(reach)
        except BaseException:
            beginning.client.dismiss()
            raise
    accept(directory, reach)


def _ask(reach: Reach) -> None:
    if not sys.stdin.isatty():
        names = ", ".join(reach.files)
        raise UserError(
            f"stack {reach.stack} has files from elsewhere that were not accepted yet: {names}",
            hint="look at them with orchestra config, then use --yes; on a terminal, up shows them and asks",
        )
    if not is_sure(render_reach(reach, output_width())):
        raise UserError("cancelled: nothing was started")


def render_reach(reach: Reach, width: int | None) -> str:
    lines = [f"Stack {reach.stack} has files from elsewhere, which you accept for the first time:"]
    lines += [f"  - {reference}\n    (here as {path})" for reference, path in reach.files.items()]
    lines += ["", "It will use:"]
    for service, powers in reach.services.items():
        lines += [f"  {service}:", *(f"    - {power}" for power in powers)]
    if reach.read:
        lines += ["", "It reads these files of this machine:", *(f"  - {path}" for path in reach.read)]
    if reach.settings:
        rows = [
            (
                each.name,
                "(not set)" if each.value is None else each.value,
                each.source,
                "yes" if each.required else "no",
            )
            for each in reach.settings
        ]
        lines += ["", "Its files use these variables:"]
        lines += render_columns(("NAME", "VALUE", "SOURCE", "REQUIRED"), rows, width=width).splitlines()
    return "\n".join([*lines, "", "Accept files only from sources that you trust."])
