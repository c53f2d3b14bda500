"""``orchestra inspect``: everything about containers, as text, as Docker's JSON, or by a template."""

from __future__ import annotations

import sys
import time
from functools import partial

from orchestra.cli.each import for_each
from orchestra.cli.inspection import print_found
from orchestra.cli.render.columns import output_width
from orchestra.cli.template.values import Sparse
from orchestra.cli.warnings import tell_what_there_is
from orchestra.stacks.inspect import Inspector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.inspect import Inspected

TEXT = "text"


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    inspector = Inspector(context, values["replica"], partial(tell_what_there_is, invocation, context))
    found: dict[tuple[str, str], Inspected] = {}

    def look(subject: str) -> None:
        found.update({(each.stack, each.row.name): each for each in inspector.inspect(subject)})

    code = for_each(invocation, values["subjects"], look, "container")
    if values["format"] != TEXT:
        print_found(values["format"], [_with_health(each.details) for each in found.values()])
        return code
    from orchestra.cli.render.summary import render_summary

    now, width = time.time(), output_width()
    texts = [render_summary(each.stack, each.row, each.details, now, width) for each in found.values()]
    sys.stdout.write("\n".join(texts))
    return code


def _with_health(details: dict[str, Any]) -> dict[str, Any]:
    """Templates ask ``{{if .State.Health}}``, also of a container without a health check."""
    return {**details, "State": Sparse({"Health": None, **details["State"]})}
