"""``orchestra volume ls``: the volumes of the home, in Docker's columns."""

from __future__ import annotations

import sys

from orchestra.cli.render.columns import output_width
from orchestra.cli.render.template import check_format, render_rows
from orchestra.cli.volume.columns import HEADER, volume_fields
from orchestra.stacks.host_volumes import list_volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    check_format(values["format"])
    found = list_volumes(invocation.context, values["filters"])
    if values["quiet"]:
        text = "".join(f"{volume.name}\n" for volume in found)
    else:
        text = render_rows(values["format"], HEADER, list(map(volume_fields, found)), width=output_width())
    sys.stdout.write(text)
    return 0
