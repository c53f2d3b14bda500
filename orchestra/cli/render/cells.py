"""One line of a table."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = 3
"""Blanks between two columns."""


def join_cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Without blanks at its end."""
    return (" " * GAP).join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
