"""Chooses the type of progress output of a build."""

from __future__ import annotations

import sys

from orchestra.cli.render.build import JsonEvents, PlainSteps, Silent
from orchestra.cli.surroundings import progress_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def open_build_progress(invocation: Invocation, *, quiet: bool, redraws: bool = True) -> Silent:
    """Follow ``--progress``. quiet: show nothing but the end of what fails. redraws: nothing else uses the terminal."""
    match "quiet" if quiet else progress_type(invocation, sys.stderr):
        case "quiet":
            return Silent()
        case "tty" if redraws:
            from orchestra.cli.render.build_live import LiveSteps

            return LiveSteps(color=invocation.colors(sys.stderr))
        case "json":
            return JsonEvents()
        case "rawjson":
            from orchestra.cli.render.build_raw import RawJson

            return RawJson()
        case _:
            return PlainSteps()
