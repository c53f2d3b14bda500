"""Fits wide tables to the terminal: no word is broken, and no line is so long that the terminal wraps it.

In this order: cells are wrapped, at blanks and commas; expendable columns are left out, with a line that names
them; finally, each row becomes a paragraph. Only a single word that is wider than the terminal is too long.
"""

from __future__ import annotations

from itertools import zip_longest

from orchestra.cli.render.cells import GAP, join_cells
from orchestra.regex import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_PIECE = regex(r"[^\s,]*,\s*|[^\s,]+\s*|\s+")
Row = list[str]
TALLEST = 4
"""Maximum lines of a cell: a column that needs more is too narrow to read."""


def render_narrow(table: Sequence[Row], width: int, expendable: Sequence[str]) -> str:
    """table: the header and the rows; their cells can be shown as they are."""
    header = table[0]
    for number in range(len(expendable) + 1):
        without = [heading for heading in expendable[:number] if heading in header]
        kept = [column for column, heading in enumerate(header) if heading not in without]
        rest = [[row[column] for column in kept] for row in table]
        widths = _fit(rest, width)
        if widths:
            lines = [line for row in rest for line in _lines(row, widths)]
            if without:
                lines += ["", *wrap(f"Not shown in {width} columns: {', '.join(without)}", width)]
            return "".join(f"{line}\n" for line in lines)
    if len(table) == 1:
        return "".join(f"{line}\n" for line in wrap((" " * GAP).join(header), width))
    return "\n".join(_paragraph(header, row, width) for row in table[1:])


def _fit(table: Sequence[Row], width: int) -> list[int]:
    """The widths of the columns, with the widest ones reduced to the same width; empty if they do not fit."""
    columns = list(zip(*table, strict=True))
    wanted = [max(map(len, column)) for column in columns]
    least = [
        max((len(piece.rstrip()) for cell in column for piece in _PIECE.findall(cell)), default=0) for column in columns
    ]
    room = width - GAP * (len(columns) - 1)
    if sum(least) > room:
        return []
    widths = least
    for measure in range(1, max(wanted) + 1):
        wider = [max(low, min(high, measure)) for low, high in zip(least, wanted, strict=True)]
        if sum(wider) > room:
            break
        widths = wider
    wrapped = [[wrap(cell, most) for cell in column] for column, most in zip(columns, widths, strict=True)]
    if any(len(lines) > TALLEST for column in wrapped for lines in column):
        return []
    return [max(len(line) for lines in column for line in lines) for column in wrapped]


def _lines(row: Row, widths: Sequence[int]) -> list[str]:
    cells = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    return [join_cells(parts, widths) for parts in zip_longest(*cells, fillvalue="")]


def _paragraph(header: Row, row: Row, width: int) -> str:
    """A line for each heading, with the row's value."""
    indent = max(map(len, header)) + GAP
    lines = []
    for heading, cell in zip(header, row, strict=True):
        for number, line in enumerate(wrap(cell, width - indent)):
            lines.append(f"{heading if number == 0 else '':<{indent}}{line}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def _pieces(text: str) -> list[str]:
    """The parts that are never broken, each with the blanks after it; at least one."""
    return _PIECE.findall(text) or [""]


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most ``width``, broken at blanks and after commas; at least one line."""
    lines = [""]
    for piece in _pieces(text):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]
