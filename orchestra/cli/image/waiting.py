"""What a command says while it waits for others that work on images."""

from __future__ import annotations

import sys


def say_waiting() -> None:
    """What is being fetched must not be taken for what nothing needs."""
    print("Waiting for another command that is pulling or creating something.", file=sys.stderr)
