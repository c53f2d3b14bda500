"""How long to wait before trying again: Docker's restart back-off, also used for failed actions."""

from __future__ import annotations

FIRST = 0.1
LONGEST = 60.0


def delay(earlier: int) -> float:
    """Seconds to wait after a failure that follows ``earlier`` failures in a row: 0.1, doubling up to 60."""
    return min(FIRST * 2.0 ** min(earlier, 20), LONGEST)
