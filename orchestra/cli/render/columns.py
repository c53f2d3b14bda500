"""Tables without a library: columns as wide as their widest cell, three spaces apart."""

from __future__ import annotations

import os
import sys

from orchestra.cli.render.cells import GAP, join_cells
from orchestra.cli.render.encoding import spelled
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def render_columns(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None = None, expendable: Sequence[str] = ()
) -> str:
    """With a final newline and no trailing blanks. Cells are made ``visible``, and spelled as they will be shown.

    width: columns of the terminal; a wider table gets another layout (``render.narrow``). expendable: headings
    that may be left out for that, the first one first.
    """
    table = [[spelled(visible(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    if width is not None and sum(widths) + GAP * (len(widths) - 1) > width:
        from orchestra.cli.render.narrow import render_narrow

        return render_narrow(table, width, expendable)
    return "".join(f"{join_cells(row, widths)}\n" for row in table)


def output_width() -> int | None:
    """The terminal's width if standard output is one: COLUMNS, else its own size; None for a file."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):  # not a terminal, or not a file at all
        return None
