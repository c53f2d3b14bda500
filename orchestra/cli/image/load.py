"""``orchestra image load``: load images from an archive that ``save``, Docker, Podman or skopeo wrote."""

from __future__ import annotations

import sys

from orchestra.cli.archive_streams import refuse_terminal_input
from orchestra.cli.render.say import say
from orchestra.stacks.images.archives import load_images

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.images.archives import LoadedImage


def run(invocation: Invocation) -> int:
    for image in _load(invocation):
        if not invocation.values["quiet"]:
            for name in image.names:
                say(f"Loaded image: {name}")
            if not image.names and image.id:
                say(f"Loaded image ID: {image.id}")
    return 0


def _load(invocation: Invocation) -> list[LoadedImage]:
    context, path, platform = invocation.context, invocation.values["input"], invocation.values["platform"]
    if path is None:
        refuse_terminal_input("use -i FILE, or redirect the input")
        return load_images(context, sys.stdin.buffer, platform, "standard input")
    return load_images(context, path, platform)
