"""``orchestra image save``: write images to one archive for ``load``, Docker, Podman and skopeo."""

from __future__ import annotations

from functools import partial

from orchestra.cli.archive_streams import opened_output
from orchestra.stacks.images.archives import save_images

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    save_images(invocation.context, values["references"], partial(opened_output, values["output"]))
    return 0
