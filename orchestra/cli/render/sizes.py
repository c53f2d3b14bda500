"""Numbers of bytes in Docker's words (go-units): a few significant digits."""

from __future__ import annotations

UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")


def describe_size(size: float, digits: int = 3) -> str:
    """``0B``, ``78.1MB``, ``1.23GB``: powers of 1000, as ``HumanSize`` has it; digits: significant ones."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.{digits}g}{UNITS[unit]}"


def describe_binary_size(size: float) -> str:
    """``0B``, ``78.1MiB``, ``1.234GiB``: powers of 1024, as Docker shows memory (go-units ``BytesSize``)."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(BINARY_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.4g}{BINARY_UNITS[unit]}"
