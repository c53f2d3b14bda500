"""A generated part of a page stands between two marks; what is around them is written by hand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

END = "<!-- end -->"


def begin(name: str) -> str:
    return f"<!-- generated: {name} -->"


def has(page: str, name: str) -> bool:
    return begin(name) in page


def block(name: str, text: str) -> str:
    """text: without blank lines around it."""
    return f"{begin(name)}\n\n{text.strip()}\n\n{END}"


def replace(page: str, name: str, text: str) -> str:
    """The page with the part ``name`` made anew. Raises ValueError if the page has no such part."""
    before, mark, rest = page.partition(begin(name))
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"no part between {begin(name)} and {END}")
    return f"{before}{block(name, text)}{after}"


def names(page: str) -> list[str]:
    """Of all generated parts, in the page's order."""
    return re.findall(r"<!-- generated: (.+?) -->", page)


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of Markdown. A ``|`` in a cell is escaped, as GitHub and Python-Markdown both want it."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
