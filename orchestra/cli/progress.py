"""Chooses the type of progress output."""

from __future__ import annotations

import sys

from orchestra.cli.render.progress import JsonLines, Plain, Quiet
from orchestra.cli.surroundings import progress_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def open_progress(invocation: Invocation) -> Quiet:
    """Follow ``--progress``."""
    progress = _progress_of(invocation)
    progress.to_stdout = bool(invocation.shared.get("status_stdout"))
    progress.hides_images = bool(invocation.values.get("quiet_pull"))
    return progress


def _progress_of(invocation: Invocation) -> Quiet:
    stream = sys.stdout if invocation.shared.get("status_stdout") else sys.stderr
    match progress_type(invocation, stream):
        case "tty":
            from orchestra.cli.render.live import Live

            return Live(color=invocation.colors(stream), stderr=stream is sys.stderr)
        case "json" | "rawjson":
            return JsonLines()
        case "quiet":
            return Quiet()
        case _:
            return Plain()
