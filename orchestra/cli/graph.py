"""``orchestra graph``: which services depend on which, as a picture or in a format for other programs."""

from __future__ import annotations

import json
import sys

from orchestra.cli.render.columns import output_width
from orchestra.errors import OrchestraError
from orchestra.stacks.graph import graph

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.graph import Graph


def run(invocation: Invocation) -> int:
    values = invocation.values
    found = graph(invocation.context, volumes=values["volumes"], networks=values["networks"])
    sys.stdout.write(_render(invocation, found))
    return 0


def _render(invocation: Invocation, found: Graph) -> str:
    if invocation.values["format"] == "text":
        from orchestra.cli.render.picture import render_picture

        return render_picture(found, output_width(), colors=invocation.colors(sys.stdout))
    from orchestra.cli.render.graph_formats import render_dot, render_mermaid, render_svg, to_data

    match invocation.values["format"]:
        case "dot":
            return render_dot(found)
        case "mermaid":
            return render_mermaid(found)
        case "svg":
            image = render_svg(found)
            if image is None:
                raise OrchestraError("this graph cannot be drawn in layers", hint="use --format dot and Graphviz")
            return image
        case _:
            return json.dumps(to_data(found), indent=2) + "\n"
