"""``orchestra image tag``: give an image another name."""

from __future__ import annotations

from orchestra.driver.local.image.library import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    Library(invocation.home).tag(invocation.values["source"], invocation.values["target"])
    return 0
