"""Several images at a time, with progress. Ctrl-C ends all of them at once."""

from __future__ import annotations

import os
import sys

from orchestra.cli.each import show_error
from orchestra.cli.execute import INTERRUPTED
from orchestra.cli.progress import open_progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.cli.invocation import Invocation
    from orchestra.model.event import Event
    from orchestra.stacks.images.parallel import Failures


def with_progress(invocation: Invocation, work: Callable[[Callable[[Event], None]], Failures]) -> Failures:
    """work: gets what hears of its events. What went wrong, by image."""
    try:
        with open_progress(invocation) as progress:
            return work(progress.hear)
    except KeyboardInterrupt:
        # The interpreter would wait for the threads. What they have fetched so far is taken up by the next command.
        sys.stdout.flush()
        os._exit(INTERRUPTED)


def run_for_services(invocation: Invocation, work: Callable[[Callable[[Event], None]], Failures]) -> int:
    """The same for ``pull`` and ``push``; the exit code."""
    if invocation.values["quiet"]:
        invocation.shared["progress"] = "quiet"
    failures = with_progress(invocation, work)
    for image, error in failures.items():
        show_error(invocation, error, image)
    return 1 if failures and not invocation.values["ignore_failures"] else 0
