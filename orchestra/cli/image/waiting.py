"""The message of a command that waits for others that work on images."""

from __future__ import annotations

import sys


def say_waiting() -> None:
    """Say why the command waits: images that are being fetched must not count as unused."""
    print("Waiting for another command that is pulling or creating something.", file=sys.stderr)
