"""``orchestra volume ls``: the volumes of the home, in Docker's columns."""

from __future__ import annotations

import sys

from orchestra.cli.render.template import check_format
from orchestra.cli.volume.columns import render_volumes
from orchestra.stacks.host_volumes import list_volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    check_format(values["format"])
    found = list_volumes(invocation.context, values["filters"])
    sys.stdout.write(render_volumes(found, values["format"], only_names=values["quiet"]))
    return 0
