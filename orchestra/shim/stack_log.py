"""The log of a stack's own processes: standard error of the fork server and of all that it forks."""

from __future__ import annotations

import os
from contextlib import suppress


def write(text: str) -> None:
    """A line or more. What its disk has no room for is lost: nobody may end, or wait, for that."""
    with suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="replace"))


def write_exception() -> None:
    """The one that is just being handled, with the places it came by."""
    import traceback

    write(traceback.format_exc())
