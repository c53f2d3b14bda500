"""Tables without a library: columns as wide as their widest cell, three spaces apart."""

from __future__ import annotations

from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def render_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """With a final newline; no blanks at the end of a line. Cells are made ``visible``."""
    table = [[visible(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)
    return "".join(f"{line}\n" for line in lines)
