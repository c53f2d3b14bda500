"""Chooses the type of progress output."""

from __future__ import annotations

import sys

from orchestra.cli.render.progress import JsonLines, Plain, Quiet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def open_progress(invocation: Invocation) -> Quiet:
    """Follow ``--progress``; ``auto`` is live on a terminal that supports cursor movement, else plain."""
    progress = _progress_of(invocation)
    progress.to_stdout = bool(invocation.shared.get("status_stdout"))
    progress.hides_images = bool(invocation.values.get("quiet_pull"))
    return progress


def _progress_of(invocation: Invocation) -> Quiet:
    mode = invocation.shared["progress"] or "auto"
    stream = sys.stdout if invocation.shared.get("status_stdout") else sys.stderr
    if mode == "auto":
        mode = "tty" if stream.isatty() and invocation.shared["ansi"] != "never" else "plain"
    match mode:
        case "tty":
            from orchestra.cli.render.live import Live

            return Live(color=invocation.colors(stream), stderr=stream is sys.stderr)
        case "json":
            return JsonLines()
        case "quiet":
            return Quiet()
        case _:
            return Plain()
