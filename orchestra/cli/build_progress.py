"""Chooses the type of progress output of a build."""

from __future__ import annotations

from orchestra.cli.render.build import JsonEvents, PlainSteps, Silent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def open_build_progress(invocation: Invocation, *, quiet: bool) -> Silent:
    """Follow ``--progress``: lines, JSON, or nothing but the end of what fails."""
    mode = invocation.shared["progress"] or "auto"
    if quiet or mode == "quiet":
        return Silent()
    return JsonEvents() if mode == "json" else PlainSteps()
