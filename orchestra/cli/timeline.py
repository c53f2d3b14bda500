"""``orchestra timeline``: where the time went, as bars on a terminal or in a format for other programs."""

from __future__ import annotations

import json
import sys
import time

from orchestra.cli.moments import parse_seconds
from orchestra.cli.render.columns import output_width
from orchestra.cli.render.timeline import render_html, render_svg, render_text, to_data
from orchestra.stacks.timeline import timeline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values, now = invocation.values, time.time()
    since = None if values["since"] is None else parse_seconds("--since", values["since"], now)
    found = timeline(invocation.context, since)
    match values["format"]:
        case "json":
            text = json.dumps(to_data(found), indent=2) + "\n"
        case "svg":
            text = render_svg(found)
        case "html":
            text = render_html(found)
        case _:
            text = render_text(found, output_width() or 100, colors=invocation.colors(sys.stdout))
    sys.stdout.write(text)
    return 0
