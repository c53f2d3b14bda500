"""``orchestra version``."""

from __future__ import annotations

import sys

from orchestra import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation

HEADER = {"version": "VERSION"}


def run(invocation: Invocation) -> int:
    if invocation.values["short"]:
        print(__version__)
    elif invocation.values["format"] in ("", "pretty"):
        print(f"Orchestra version {__version__}")
    else:
        from orchestra.cli.render.template import render_rows

        sys.stdout.write(render_rows(invocation.values["format"], HEADER, [{"version": __version__}]))
    return 0
