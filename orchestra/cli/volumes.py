"""``orchestra volumes``: the volumes of the stack, in Docker's columns."""

from __future__ import annotations

import sys
from functools import partial

from orchestra.cli.render.columns import output_width
from orchestra.cli.render.template import check_format, render_rows
from orchestra.cli.volume.columns import HEADER, volume_fields
from orchestra.cli.warnings import tell_what_there_is
from orchestra.stacks.volumes import volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    check_format(values["format"])
    found = volumes(context, values["services"], partial(tell_what_there_is, invocation, context))
    if values["quiet"]:
        text = "".join(f"{volume.name}\n" for volume in found)
    else:
        text = render_rows(values["format"], HEADER, list(map(volume_fields, found)), width=output_width())
    sys.stdout.write(text)
    return 0
