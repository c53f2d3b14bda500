"""How long to wait before trying again: Docker's restart back-off, used for failed actions too."""

from __future__ import annotations

FIRST = 0.1
LONGEST = 60.0


def delay(earlier: int) -> float:
    """Seconds to wait after one more failure when ``earlier`` failures in a row came before it: 0.1 doubling to 60."""
    return min(FIRST * 2.0 ** min(earlier, 20), LONGEST)
