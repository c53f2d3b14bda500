"""``orchestra export``: write a container's file system to a tar archive."""

from __future__ import annotations

from functools import partial

from orchestra.cli.archive_streams import opened_output
from orchestra.stacks.export import ExportOptions, export

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    options = invocation.options(ExportOptions)
    export(invocation.context, options, partial(opened_output, invocation.values["output"]))
    return 0
