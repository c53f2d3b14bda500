"""``orchestra volumes``: the volumes of the stack, in Docker's columns."""

from __future__ import annotations

import sys
from functools import partial

from orchestra.cli.render.columns import output_width
from orchestra.cli.render.template import check_format, render_rows
from orchestra.cli.template.values import Method
from orchestra.cli.warnings import tell_what_there_is
from orchestra.stacks.volumes import volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.volumes import VolumeRow

HEADER = {"Driver": "DRIVER", "Name": "VOLUME NAME"}
UNKNOWN = "N/A"


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    check_format(values["format"])
    found = volumes(context, values["services"], partial(tell_what_there_is, invocation, context))
    if values["quiet"]:
        text = "".join(f"{volume.name}\n" for volume in found)
    else:
        text = render_rows(values["format"], HEADER, list(map(_data, found)), width=output_width())
    sys.stdout.write(text)
    return 0


def _data(volume: VolumeRow) -> dict[str, Any]:
    """Docker's fields; those of cluster volumes, and the size, are not known."""
    return {
        "Availability": UNKNOWN,
        "Driver": "local",
        "Group": UNKNOWN,
        "Label": Method(lambda name: volume.labels.get(name, "")),
        "Labels": ",".join(f"{name}={text}" for name, text in sorted(volume.labels.items())),
        "Links": UNKNOWN,
        "Mountpoint": volume.mountpoint,
        "Name": volume.name,
        "Scope": "local",
        "Size": UNKNOWN,
        "Status": UNKNOWN,
    }
