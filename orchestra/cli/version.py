"""``orchestra version``."""

from __future__ import annotations

import json

from orchestra import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    if invocation.values["short"]:
        print(__version__)
    elif invocation.values["format"] == "json":
        print(json.dumps({"version": __version__}))
    else:
        print(f"Orchestra version {__version__}")
    return 0
