"""The log of a stack's own processes: standard error of the fork server and of all that it forks."""

from __future__ import annotations

import os
from contextlib import suppress

from orchestra.container.wire import describe_failure


def write(text: str) -> None:
    """A line or more. What its disk has no room for is lost: nobody may end, or wait, for that."""
    with suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="replace"))


def write_failure(error: BaseException) -> None:
    """A mistake of ours, for which nothing may be missing: no module to import, no file to open."""
    write(f"Traceback: {describe_failure(error)}")
