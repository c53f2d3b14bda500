"""The log of a stack's own processes: standard error of the fork server and of all that it forks."""

from __future__ import annotations

import os
from contextlib import suppress

from orchestra.container.wire import describe_failure


def write(text: str) -> None:
    """Write one or more lines. If the disk is full they are lost: no process may end, or wait, because of that."""
    with suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="replace"))


def write_failure(error: BaseException) -> None:
    """A bug of ours. Nothing may be needed to report it: no module to import, no file to open."""
    write(f"Traceback: {describe_failure(error)}")
