"""One line of a table."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = 3
"""Number of blanks between two columns."""


def join_cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Join the cells of a line, without trailing blanks."""
    return (" " * GAP).join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
