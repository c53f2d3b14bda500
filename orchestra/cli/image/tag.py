"""``orchestra image tag``: give an image another name."""

from __future__ import annotations

from orchestra.stacks.images.library import open_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    open_library(invocation.context).tag(invocation.values["source"], invocation.values["target"])
    return 0
