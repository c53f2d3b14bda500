"""Standard streams that the caller has closed."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """Open closed ones of 0 to 2 on /dev/null, so that no file or socket of ours gets such a number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # This gets the lowest free number, since those before it are open by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115
