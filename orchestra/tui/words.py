"""Short words for numbers and times, and small plots. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BARS = " ▁▂▃▄▅▆▇█"
UNITS = ("B", "K", "M", "G", "T", "P")


def describe_bytes(size: float) -> str:
    """``0B``, ``999B``, ``1.2M``, ``120M``: powers of 1024, in at most five characters."""
    unit = 0
    while size >= 999.5 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f}{UNITS[unit]}" if unit and size < 9.95 else f"{size:.0f}{UNITS[unit]}"


def describe_share(percent: float) -> str:
    """``0.3``, ``12.5``, ``340``: percent of one processor, in at most four characters below 10,000."""
    return f"{percent:.1f}" if percent < 99.95 else f"{percent:.0f}"


def describe_age(seconds: float) -> str:
    """``4s``, ``12m``, ``3h``, ``9d``."""
    for most, factor, unit in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h")):
        if seconds < most:
            return f"{max(0, int(seconds)) // factor}{unit}"
    return f"{int(seconds) // 86400}d"


def spark(values: Sequence[float], width: int, least: float) -> str:
    """A bar for each of the last ``width`` values, the newest last; the highest bar stands for the largest of them.

    least: what the highest bar stands for at least, so that noise does not look like load.
    """
    shown = list(values[-width:])
    top = max(least, *shown) if shown else least
    steps = len(BARS) - 1
    bars = "".join(BARS[min(steps, max(1, round(steps * value / top)))] if value > 0 else BARS[0] for value in shown)
    return bars.rjust(width)


def fit(text: str, width: int) -> str:
    """At most ``width`` characters: the rest is an ellipsis."""
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"
