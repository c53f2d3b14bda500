"""``orchestra volumes``: the volumes of the stack, in Docker's columns."""

from __future__ import annotations

import sys
from functools import partial

from orchestra.cli.render.template import check_format
from orchestra.cli.volume.columns import render_volumes
from orchestra.cli.warnings import tell_what_there_is
from orchestra.stacks.volumes import volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    check_format(values["format"])
    found = volumes(context, values["services"], partial(tell_what_there_is, invocation, context))
    sys.stdout.write(render_volumes(found, values["format"], only_names=values["quiet"]))
    return 0
