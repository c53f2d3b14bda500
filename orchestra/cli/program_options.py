"""The options that ``exec`` and ``run`` share."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def wants_terminal(values: dict[str, Any]) -> bool:
    """A terminal where both ends are one: a file or a pipe is not to be filled with carriage returns."""
    if values["no_tty"] or values["detach"] or not sys.stdin or not sys.stdin.isatty():
        return False
    return bool(values["tty"]) or sys.stdout.isatty()
