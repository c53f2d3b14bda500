"""Transfers several images at a time, with progress. Ctrl-C ends all transfers at once."""

from __future__ import annotations

import os
import sys
from typing import TypeVar

from orchestra.cli.each import show_error
from orchestra.cli.exit_codes import INTERRUPTED
from orchestra.cli.progress import open_progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.cli.invocation import Invocation
    from orchestra.model.event import Event
    from orchestra.stacks.images.parallel import Failures

T = TypeVar("T")


def with_progress(invocation: Invocation, work: Callable[[Callable[[Event], None]], T]) -> T:
    """Return what ``work`` does, which gets a function to call with each event."""
    try:
        with open_progress(invocation) as progress:
            return work(progress.hear)
    except KeyboardInterrupt:
        # The interpreter would wait for the threads. The next command continues with what they have fetched so far.
        sys.stdout.flush()
        os._exit(INTERRUPTED)


def run_for_services(
    invocation: Invocation,
    work: Callable[[Callable[[Event], None]], Failures],
    advise: Callable[[Failures], None] = lambda _failures: None,
) -> int:
    """Do the same for ``pull`` and ``push``; return the exit code. advise: says what can be done about the errors."""
    if invocation.values["quiet"]:
        invocation.shared["progress"] = "quiet"
    failures = with_progress(invocation, work)
    for image, error in failures.items():
        show_error(invocation, error, image)
    if failures:
        advise(failures)
    return 1 if failures and not invocation.values["ignore_failures"] else 0
