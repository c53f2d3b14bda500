"""Numbers of bytes in Docker's words (go-units ``HumanSize``): powers of 1000, a few significant digits."""

from __future__ import annotations

UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")


def describe_size(size: float, digits: int = 3) -> str:
    """``0B``, ``78.1MB``, ``1.23GB``; digits: significant ones."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.{digits}g}{UNITS[unit]}"
